"""Sources held in memory, for tests and notebooks."""
