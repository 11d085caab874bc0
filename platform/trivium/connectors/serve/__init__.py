"""Ray Serve: lookups."""
