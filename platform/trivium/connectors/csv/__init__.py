"""CSV: files as lookups."""
