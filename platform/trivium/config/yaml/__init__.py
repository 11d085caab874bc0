"""YAML documents with positions, includes and variables."""
