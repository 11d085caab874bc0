"""A version of a table as its log tells it: files and transactions, kept and brought up to date entry by entry."""
