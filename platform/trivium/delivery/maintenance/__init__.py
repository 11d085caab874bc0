"""Compaction, log clean-up, vacuum, and the ledger that outlives them."""
