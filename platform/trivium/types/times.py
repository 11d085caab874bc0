"""Timestamps as the decoder reads them: aware, in UTC, in whole microseconds, in the years 1 to 9999."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import countOf, sub
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.types.spec import UTC_MICROSECONDS

FIRST_US: Final = -62_135_596_800_000_000
LAST_US: Final = 253_402_300_799_999_999
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PER_UNIT: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}


def localise(column: pa.Array, timezone: str) -> tuple[pa.Array, pa.Array]:
    """Naive times as times of `timezone`, and a mask of those that do not exist there or exist twice."""
    early = pc.assume_timezone(column, timezone, ambiguous="earliest", nonexistent="earliest")
    late = pc.assume_timezone(column, timezone, ambiguous="latest", nonexistent="latest")
    return early, pc.not_equal(early, late)


def microseconds(column: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Aware times as UTC microseconds, and masks of those with finer digits and of those outside years 1 to 9999."""
    if column.type.unit == "ns":
        ticks = column.cast(pa.int64())
        whole = pc.divide(ticks, 1000)
        finer = pc.not_equal(pc.multiply(whole, 1000), ticks)
        return whole.cast(UTC_MICROSECONDS), finer, _none(column)
    per = _PER_UNIT[column.type.unit]
    ticks = column.cast(pa.int64())
    outside = pc.or_(pc.less(ticks, FIRST_US // per), pc.greater(ticks, LAST_US // per))
    if pc.any(outside).as_py():
        ticks = pc.if_else(outside, pa.scalar(None, pa.int64()), ticks)
    return pc.multiply(ticks, per).cast(UTC_MICROSECONDS), _none(column), outside


def _none(column: pa.Array) -> pa.Array:
    return pa.array(np.zeros(len(column), np.bool_))


def to_datetimes(column: pa.Array) -> list[Any]:
    """UTC microseconds as aware datetimes (twenty times faster than `to_pylist`, which goes through pandas)."""
    since = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if column.null_count:
        return [None if us != us else EPOCH + timedelta(microseconds=int(us)) for us in since.tolist()]  # noqa: PLR0124
    return list(map(EPOCH.__add__, since.astype("timedelta64[us]").tolist()))


def from_datetimes(moments: Sequence[datetime | None]) -> pa.Array:
    """Aware datetimes as UTC microseconds (ten times faster than pyarrow's own conversion of aware datetimes).

    Raises:
        TypeError: a datetime without a time zone, or something else.
    """
    if countOf(map(type, moments), datetime) == len(moments):
        since = list(map(sub, moments, repeat(EPOCH)))
        return pa.array(since, pa.duration("us")).cast(pa.int64()).cast(UTC_MICROSECONDS)
    ticks = [None if moment is None else (moment - EPOCH) // _MICROSECOND for moment in moments]
    return pa.array(ticks, pa.int64()).cast(UTC_MICROSECONDS)


def to_utc(value: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        ValueError: the moment lies outside the years 1 to 9999 in UTC.
    """
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        message = f"the time {value.isoformat()} lies outside the years 1 to 9999 in UTC"
        raise ValueError(message) from error
