"""Container images of the project itself, built without a container engine and without a registry."""
