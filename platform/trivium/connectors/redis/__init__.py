"""Redis and Valkey: lookups."""
