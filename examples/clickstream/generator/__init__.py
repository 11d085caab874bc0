"""The shop's data, made up from a seed: what users did, what was logged of it, and what must become of it."""
