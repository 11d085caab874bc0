"""HTTP: admission, authentication, limits, answers."""
