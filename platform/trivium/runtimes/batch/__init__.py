"""The batch runtime: history read again, and batch's own partitions of the table re-written in one commit."""
