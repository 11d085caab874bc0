"""The streaming runtime: Kafka's partitions consumed by a pool of actors, appended to the table by one committer."""
