"""A run: options, validate, create, provision, deploy, verify, collect, report, destroy."""
