"""NDJSON files, plain or compressed, as a batch source."""
