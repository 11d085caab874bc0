"""Commands that take a project to a cluster."""
