"""Plans of runs, shown and compared before anything starts."""
