"""The part of a stream that runs on its workers."""
