"""Airports by their code, from the register of airports."""

from msgspec import field

from trivium import Row


class Airport(Row):
    """An airport: its name, and where it lies in degrees north and east."""

    name: str
    latitude: float = field(name="lat")
    longitude: float = field(name="lon")
