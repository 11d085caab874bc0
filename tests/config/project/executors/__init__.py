"""Executors of the fixture project."""
