"""Rows that executors made: held to their declaration, and kept until a file or an answer wants them."""
