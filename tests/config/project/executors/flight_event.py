"""Rows that the executors of the fixture project share."""

from trivium import NormalizedEvent, Row


class Plane(Row):
    """An aircraft, by its tail number."""

    tailnum: str
    seats: int | None = None


class FlightEvent(NormalizedEvent):
    """A flight event."""

    late: bool
    seats: int | None = None
