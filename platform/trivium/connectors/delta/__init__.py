"""Delta tables that others write, as a batch source."""
