"""Coverage: the event days and types that batch runs have read."""
