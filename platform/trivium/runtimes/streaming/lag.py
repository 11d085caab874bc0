"""Lag: the distance of the table behind the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Lag:
    """Of one partition: offsets that wait, and the age of the newest committed record while any do (None: unknown)."""

    events: int
    seconds: float | None


def lags(
    positions: Mapping[str, int], ends: Mapping[str, int], newest_us: Mapping[str, int], now_us: int
) -> dict[str, Lag]:
    """Return the lag of each partition whose end is known."""
    found = {}
    for name, at in positions.items():
        if name in ends:
            events = max(0, ends[name] - at)
            known = max(0.0, (now_us - newest_us[name]) / 1e6) if name in newest_us else None
            found[name] = Lag(events, known if events else 0.0)
    return found


def events_behind(found: Mapping[str, Lag], partitions: int) -> int | None:
    """Return the offsets that wait in all partitions; None while one is unknown."""
    return sum(lag.events for lag in found.values()) if len(found) == partitions else None


def seconds_behind(found: Mapping[str, Lag]) -> float | None:
    """Return the largest lag of a partition in seconds; None: unknown."""
    known = [lag.seconds for lag in found.values() if lag.seconds is not None]
    return max(known) if known else None
