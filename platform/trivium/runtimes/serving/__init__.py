"""The serving runtime: a pipeline behind HTTP."""
