"""Fields that all of the shop's events carry, and columns that all of its rows have."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from trivium import Event, Float32, NormalizedEvent

VECTOR_LENGTH = 16
Vector = tuple[Float32, ...]
GivenVector = Annotated[Vector, Meta(min_length=VECTOR_LENGTH, max_length=VECTOR_LENGTH)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ShopEvent(Event):
    """A record of the shop. `at` is when it happened, which may be a day before it was logged; `user` is who did it."""

    id: Name
    at: datetime
    user: Name


class ShopRow(NormalizedEvent):
    """A row of the shop's table. `event_id` is the record's, `entity` the user; an unknown `country` is null."""

    entity: str
    country: str | None = None
