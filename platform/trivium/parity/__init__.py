"""Parity: the same inputs through several roads, compared outcome by outcome."""
