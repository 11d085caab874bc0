"""Kafka's record batches on the wire, decoded into columns."""
