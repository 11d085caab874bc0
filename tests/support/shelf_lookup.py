"""Lookups over files of shelves: opened by the sections of a pipeline file, asked for rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from trivium import Row
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.pipeline import BoundLookup
from trivium.connectors import open_lookup
from trivium.contract.lookup import Answer
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Clock, Deadline
from trivium.testing import ManualClock
from trivium.types.rows import row_fields
from trivium.types.spec import UTC_MICROSECONDS


class Shelf(Row):
    """A shelf as an enrichment declares it."""

    hall: str | None = None


def bound(path: Path, key_type: pa.DataType | None = None, *, as_of: bool = False, **section: Any) -> BoundLookup:
    """A lookup of shelves with its section of the pipeline file; a Parquet file by the key `code` unless it says so."""
    settings = LOOKUP_KINDS.read({"type": "parquet", "path": str(path), "key": "code", **section})
    return BoundLookup(
        name="shelves",
        columns=row_fields(Shelf),
        key_type=key_type or pa.string(),
        retry=RetryPolicy(),
        unavailable=settings.unavailable,
        config=settings,
        as_of=as_of,
    )


def opened(path: Path, key_type: pa.DataType | None = None, clock: Clock | None = None, **section: Any) -> Any:
    """The lookup, open; `pinned` and `as_of` are those of its request."""
    pinned = section.pop("pinned", False)
    return open_lookup(bound(path, key_type, **section), clock or ManualClock(), pinned=pinned)


def halls(lookup: Any, keys: Sequence[Any], kind: pa.DataType | None = None) -> list[Any]:
    """The halls of keys, None where there is no row."""
    return _halls(lookup.fetch(pa.array(keys, kind or pa.string()), Deadline.after(ManualClock(), 1.0)))


def halls_at(lookup: Any, keys: Sequence[Any], times: Sequence[datetime], kind: pa.DataType | None = None) -> list[Any]:
    """The halls of keys at times, None where no row was valid."""
    at = pa.array(times, UTC_MICROSECONDS)
    return _halls(lookup.fetch_as_of(pa.array(keys, kind or pa.string()), at, Deadline.after(ManualClock(), 1.0)))


def day(number: int, month: int = 3) -> datetime:
    """The beginning of a day of 2026."""
    return datetime(2026, month, number, tzinfo=UTC)


def _halls(answer: Answer) -> list[Any]:
    assert answer.index.type == pa.int32()
    return answer.rows.column("hall").take(answer.index).to_pylist()  # type: ignore[no-any-return]
