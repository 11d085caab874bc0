"""Days as ISO dates: those around one, and many of them as stretches without a gap."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise


def days_around(day: str, before: int = 0, after: int = 0) -> list[str]:
    """Return the ISO dates from `before` days ahead of an ISO date to `after` days behind it, in order.

    Days outside the calendar's years 1 to 9999 do not exist and are left out.
    """
    middle = date.fromisoformat(day).toordinal()
    first, last = max(1, middle - before), min(date.max.toordinal(), middle + after)
    return [date.fromordinal(number).isoformat() for number in range(first, last + 1)]


def stretches(days: list[str]) -> list[tuple[str, str]]:
    """Return sorted ISO dates as first and last of each stretch without a gap."""
    if not days:
        return []
    numbers = [date.fromisoformat(day).toordinal() for day in days]
    breaks = [index for index, (one, other) in enumerate(pairwise(numbers), 1) if other != one + 1]
    edges = [0, *breaks, len(days)]
    return [(days[first], days[last - 1]) for first, last in pairwise(edges)]


def days_of(spans: Iterable[tuple[str, str]]) -> list[str]:
    """Return the days of stretches: the inverse of `stretches`."""
    numbers = ((date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal()) for first, last in spans)
    return [date.fromordinal(number).isoformat() for first, last in numbers for number in range(first, last + 1)]
