"""The Delta log: entries, checkpoints, features, durability."""
