"""Services over HTTP: lookups that answer many keys of one request with JSON."""
