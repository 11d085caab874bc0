"""Single requests: events in a body, outcomes in an answer."""
