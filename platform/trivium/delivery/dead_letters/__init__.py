"""Rejected inputs, kept whole in a table of their own."""
