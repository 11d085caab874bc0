"""Parquet: archives as a batch source, and files as lookups."""
