"""Lookups in other systems: what they answer, as columns, and what they say of trouble."""
