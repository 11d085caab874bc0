"""Metrics of a lookup in a process: plain numbers that only its client changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

LATENCY_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram, in seconds; one more bucket holds what is above."""
COUNTERS: Final = (
    "asks", "keys", "cached", "found", "missing", "stale", "unavailable", "calls", "called_keys", "retries",
    "failures", "timeouts", "late", "breaker_openings",
)  # fmt: skip
"""The fields that only grow, the histogram aside."""


class LookupMetrics(msgspec.Struct):
    """The counters and gauges of one lookup; counters only grow.

    `keys` is their sum: those answered from the cache (`cached`), and by calls as `found` or `missing`, those left
    `unavailable`, and `stale` ones. `failures` are calls that failed, `timeouts` calls without an answer in time and
    portions without a turn, `late` calls that returned after their time. `oldest_seconds` is the age of the oldest
    answer used from the cache so far.
    """

    asks: int = 0
    keys: int = 0
    cached: int = 0
    found: int = 0
    missing: int = 0
    stale: int = 0
    unavailable: int = 0
    calls: int = 0
    called_keys: int = 0
    retries: int = 0
    failures: int = 0
    timeouts: int = 0
    late: int = 0
    breaker: str = "closed"
    breaker_openings: int = 0
    in_flight: int = 0
    waiting: int = 0
    cache_bytes: int = 0
    cache_keys: int = 0
    oldest_seconds: float = 0.0
    latency: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS) + 1))
    latency_seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count a call that took so long."""
        self.latency[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        self.latency_seconds += seconds

    def count_direct(self, found: int, stale: int, missing: int, seconds: float) -> None:
        """Count the keys of a question that a lookup in memory answered, and the time it took."""
        self.asks += 1
        self.calls += 1
        self.keys += found + stale + missing
        self.called_keys += found + stale + missing
        self.found += found
        self.stale += stale
        self.missing += missing
        self.observe(seconds)

    def totals(self) -> dict[str, int]:
        """Return the counters by name."""
        return {name: getattr(self, name) for name in COUNTERS}


def joined(parts: Sequence[LookupMetrics]) -> LookupMetrics:
    """Return the metrics of several clients of one lookup as those of one: sums, worst breaker, oldest answer."""
    if len(parts) == 1:
        return parts[0]
    sums = (*COUNTERS, "in_flight", "waiting", "cache_bytes", "cache_keys", "latency_seconds")
    return LookupMetrics(
        **{name: sum(getattr(part, name) for part in parts) for name in sums},
        breaker=max((part.breaker for part in parts), key=("closed", "half_open", "open").index),
        oldest_seconds=max(part.oldest_seconds for part in parts),
        latency=[sum(counts) for counts in zip(*(part.latency for part in parts), strict=True)],
    )
