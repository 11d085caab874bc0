"""The business logic of the shop's events, one folder an event type."""
