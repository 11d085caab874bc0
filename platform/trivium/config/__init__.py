"""Floor 1: one YAML file, read with positions, checked whole and compiled to an immutable plan."""
