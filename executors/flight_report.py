"""Fields that every record of a flight carries, of whatever type."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from trivium import Event, Int32


class FlightReport(Event):
    """A record of one flight. `scheduled` is the scheduled departure; `flight_id` names the flight, not the record."""

    flight_id: Annotated[str, Meta(min_length=1)]
    scheduled: datetime
    carrier: str
    flight_number: Int32
    tail_number: str | None = None
    origin: str
    destination: str
    distance_miles: Annotated[Int32, Meta(ge=1)]
