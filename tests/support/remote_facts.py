"""Facts of many types, and lookups of other systems that answer them, opened as a pipeline opens them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa

from trivium import Deadline, Int8, LookupSettings, Precision, Row
from trivium.config.pipeline import BoundLookup
from trivium.connectors import open_lookup
from trivium.contract.lookup import Lookup
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Clock, SystemClock
from trivium.types.rows import row_fields


class Fact(Row):
    """A column of every type that all back-ends hold."""

    name: str | None = None
    count: Int8 | None = None
    ratio: float | None = None
    paid: bool | None = None
    price: Annotated[Decimal, Precision(6, 2)] | None = None
    day: date | None = None
    at: datetime | None = None


FULL: dict[str, Any] = {
    "name": "Zürich 東",
    "count": -5,
    "ratio": 0.1,
    "paid": True,
    "price": Decimal("12.50"),
    "day": date(2026, 3, 1),
    "at": datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC),
}
"""A row of facts without a null."""
EMPTY: dict[str, Any] = dict.fromkeys(FULL)
"""A row of facts of nulls."""


def bound(
    section: LookupSettings, kind: type[Row] = Fact, key_type: pa.DataType | None = None, **secrets: str
) -> BoundLookup:
    """Return a section as a pipeline binds it."""
    return BoundLookup(
        name="facts",
        columns=row_fields(kind),
        key_type=key_type or pa.string(),
        retry=RetryPolicy(),
        unavailable=section.unavailable,
        config=section,
        secrets=secrets,
    )


def opened(section: LookupSettings, *args: Any, clock: Clock | None = None, **secrets: str) -> Lookup:
    """Return the lookup of a section."""
    return open_lookup(bound(section, *args, **secrets), clock or SystemClock())


def answered(
    lookup: Any, keys: list[Any] | pa.Array, times: list[datetime] | None = None, *, seconds: float = 10.0
) -> list[dict[str, Any] | None]:
    """Return the row of each key, None where there is none."""
    column = keys if isinstance(keys, pa.Array) else pa.array(keys)
    deadline = Deadline.after(SystemClock(), seconds)
    if times is None:
        answer = lookup.fetch(column, deadline)
    else:
        answer = lookup.fetch_as_of(column, pa.array(times, pa.timestamp("us", "UTC")), deadline)
    assert answer.index.type == pa.int32()
    assert len(answer.index) == len(column)
    rows = answer.rows.to_pylist()
    return [None if place is None else rows[place] for place in answer.index.to_pylist()]
