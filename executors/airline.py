"""Airlines by their code."""

from trivium import Row


class Airline(Row):
    """An airline's name."""

    name: str
