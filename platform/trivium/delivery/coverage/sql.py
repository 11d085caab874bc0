"""Coverage as an SQL condition: which streamed rows batch speaks for, of event days and types that were covered.

The condition stays short: event types with equal coverage share a list, event days with equal coverage a line. The
usual case, source days that were read after they had ended, is said as a distance in days between `event_date` and the
day of ingestion, so that years of them are one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from trivium.delivery.coverage.documents import DayCoverage
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.delivery.merge.sql_text import Dialect, identifier, literal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_INGESTED: Final = "_ingested_at"
_UTC_DAY: Final[dict[Dialect, str]] = {
    "duckdb": f"CAST({_INGESTED} AT TIME ZONE 'UTC' AS DATE)",
    "polars": f"CAST({_INGESTED} AS DATE)",
    "spark": f"DATE_FROM_UNIX_DATE(CAST(FLOOR(UNIX_MICROS({_INGESTED}) / {_DAY_US}) AS INT))",
}
"""The UTC day of ingestion, whatever the session's time zone."""

Interval = tuple[int | None, int]
"""Times of ingestion, half open, in microseconds since 1970 UTC; None: from the beginning."""

Shape = int | tuple[Interval, ...]
"""Covered times of ingestion of an event day: the number of days from it on, all of them whole, or intervals."""


def hidden_condition(coverage: Mapping[str, DayCoverage], dialect: Dialect) -> str:
    """Return the condition under which a streamed row is hidden unless batch has its identity; "" when none is."""
    groups = _by_types({day: _shapes(day, each) for day, each in coverage.items()})
    parts = [_part(types, days, dialect) for types, days in sorted(groups.items())]
    return "\n    OR ".join(parts)


def _shapes(day: str, coverage: DayCoverage) -> dict[str, Shape]:
    shapes = {name: _shape(day, complete) for name, complete in coverage.items()}
    return {name: shape for name, shape in shapes.items() if shape}


def _shape(day: str, complete: Mapping[str, int]) -> Shape:
    intervals: list[Interval] = []
    for source_day, moment in sorted(complete.items()):
        start = None if source_day == ALL_DAYS else _midnight(source_day)
        end = moment if start is None else min(moment, start + _DAY_US)
        if start is not None and end <= start:
            continue
        if intervals and intervals[-1][1] == start:
            intervals[-1] = (intervals[-1][0], end)
        else:
            intervals.append((start, end))
    if len(intervals) == 1 and intervals[0][0] == _midnight(day) and (intervals[0][1] - _midnight(day)) % _DAY_US == 0:
        return (intervals[0][1] - _midnight(day)) // _DAY_US
    return tuple(intervals)


def _by_types(shapes: Mapping[str, Mapping[str, Shape]]) -> dict[tuple[str, ...], dict[str, Shape]]:
    """Return, for each list of types that are covered alike on a day, the days and their shapes."""
    groups: dict[tuple[str, ...], dict[str, Shape]] = {}
    for day, of_types in sorted(shapes.items()):
        alike: dict[Shape, list[str]] = {}
        for name, shape in sorted(of_types.items()):
            alike.setdefault(shape, []).append(name)
        for shape, types in alike.items():
            groups.setdefault(tuple(types), {})[day] = shape
    return groups


def _part(types: Sequence[str], days: Mapping[str, Shape], dialect: Dialect) -> str:
    names = ", ".join(literal(name, dialect) for name in types)
    lines = [
        f"      WHEN {_days(first, last, dialect)} THEN {_times(shape, dialect)}"
        for first, last, shape in _stretches(days)
    ]
    return "\n".join([f"{identifier('_event_type', dialect)} IN ({names}) AND CASE", *lines, "      ELSE FALSE END"])


def _stretches(days: Mapping[str, Shape]) -> Iterator[tuple[str, str, Shape]]:
    """Yield first and last day of each stretch of days with one shape; days between that have no coverage end it."""
    first = last = ""
    for day, shape in sorted(days.items()):
        if first and shape == days[first] and day == _next(last):
            last = day
            continue
        if first:
            yield first, last, days[first]
        first = last = day
    if first:
        yield first, last, days[first]


def _days(first: str, last: str, dialect: Dialect) -> str:
    low, high = (f"DATE {literal(day, dialect)}" for day in (first, last))
    return f"event_date = {low}" if first == last else f"event_date BETWEEN {low} AND {high}"


def _times(shape: Shape, dialect: Dialect) -> str:
    if isinstance(shape, int):
        day = _UTC_DAY[dialect]
        if shape == 1:
            return f"{day} = event_date"
        return f"{day} BETWEEN event_date AND event_date + INTERVAL '{shape - 1} day'"
    parts = []
    for start, end in shape:
        before = f"{_INGESTED} < {_moment(end, dialect)}"
        parts.append(before if start is None else f"({_INGESTED} >= {_moment(start, dialect)} AND {before})")
    return " OR ".join(parts)


def _moment(micros: int, dialect: Dialect) -> str:
    moment = _EPOCH + timedelta(microseconds=micros)
    text = literal(f"{moment.isoformat(sep=' ', timespec='microseconds')}", dialect)
    return f"TIMESTAMP {text}" if dialect == "spark" else f"CAST({text} AS TIMESTAMP WITH TIME ZONE)"


def _midnight(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - _EPOCH.toordinal()) * _DAY_US


def _next(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
