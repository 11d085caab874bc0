"""Raw records into typed rows."""
