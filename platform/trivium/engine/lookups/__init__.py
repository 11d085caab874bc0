"""Lookups as the worker sees them: questions, facts, and the client that stands around each lookup."""
