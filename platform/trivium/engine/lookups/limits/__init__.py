"""Limits of a lookup's calls: slots, rate, the breaker, and pauses while the lookup is away."""
