"""One external system a module, imported on use."""
