"""The static view of authors' code: what it depends on and whether it is pure."""
