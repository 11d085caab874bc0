"""Databases by ADBC: lookups in SQLite and PostgreSQL."""
