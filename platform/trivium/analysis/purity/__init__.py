"""Finds I/O, clocks, randomness and hidden state in the sources of an executor."""
