"""Hosts of workers, and the only imports of Ray."""
