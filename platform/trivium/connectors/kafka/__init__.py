"""Kafka: positions, consumers and record batches of a topic."""
