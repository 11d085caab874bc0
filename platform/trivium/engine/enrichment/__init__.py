"""Facts on their way into the worker: keys of events, questions to lookups, answers aligned with the events."""
