"""Aircraft by their tail number, from the register of aircraft."""

from msgspec import field

from trivium import Int32, Row


class Plane(Row):
    """An aircraft: who made it, which model, how many seats, and the year it was built (unknown for some)."""

    manufacturer: str | None = None
    model: str | None = None
    seats: Int32 | None = None
    built: Int32 | None = field(default=None, name="year")
