"""Parity: the same inputs through several runtimes, compared outcome by outcome."""
