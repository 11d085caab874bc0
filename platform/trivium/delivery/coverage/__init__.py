"""Which event days and types batch runs have read."""
