"""Data files: rows split by partition and type, statistics, unit markers."""
