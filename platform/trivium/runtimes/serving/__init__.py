"""The serving road: a pipeline behind HTTP."""
