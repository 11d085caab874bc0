"""Benchmarks: `./dev bench NAME` runs `benchmarks/NAME.py`. They measure; the tests judge."""
