"""Arrivals."""

from datetime import datetime

from executors.flight_event import FlightEvent
from trivium import Event, Executor


class Arrival(Event, tag="arrival"):
    """An arrival."""

    flight_id: str
    landed: datetime


class ArrivalExecutor(Executor[Arrival, FlightEvent]):
    """Reads arrivals."""

    def process(self, event: Arrival) -> FlightEvent:  # type: ignore[override]
        """One row."""
        return FlightEvent(event_id=event.flight_id, event_time=event.landed, late=False)
