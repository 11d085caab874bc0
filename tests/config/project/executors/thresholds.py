"""Limits in minutes."""

LATE = 15
