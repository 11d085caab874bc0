"""Replay: dead letters of a stream, processed again by today's executors."""
