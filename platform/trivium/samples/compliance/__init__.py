"""The contract of executors: the same answer for the same event, in every form, process and world."""
