"""The merge policy as SQL: one row per identity."""
