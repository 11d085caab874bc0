"""Field types: their Arrow twins, and how values of each are read, checked and written."""
