"""From a table of models to generated Chainsaw tests, one folder for each model."""
