"""Tools for development: scaffold, project layout, broker."""
