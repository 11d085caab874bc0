"""The business logic of this project, one folder an event type. The platform finds it by the event type alone."""
