"""Users by their name, from the shop's register of accounts."""

from datetime import date
from typing import Literal

from trivium import Row


class User(Row):
    """An account: where it was opened, its tier, and the day of its opening."""

    country: str
    tier: Literal["basic", "plus", "gold"]
    since: date | None = None
