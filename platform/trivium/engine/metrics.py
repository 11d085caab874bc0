"""The catalogue of metrics: every name, kind, unit and tag a runtime exports, in one place.

Counters only grow while a run lasts; gauges say what is now. Two processes that export one gauge under the same tags
would hide one another: a stream's driver owns all of a stream's metrics, each replica of a service tags its own, and so
does every process that asks lookups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from trivium.engine.lookups.metrics import LATENCY_BUCKETS

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """One metric. `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    description: str
    tags: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# Tags of every metric beside its own: under what was counted, as `trivium plan` shows it and rows carry it.
HASHES: Final = ("logic", "plan")
_PIPELINE: Final = ("pipeline",)
_PARTITION: Final = ("pipeline", "partition")
_REPLICA: Final = ("pipeline", "replica")
INPUTS: Final = Metric(
    "trivium_inputs_total",
    "counter",
    "Inputs committed, by outcome: emitted, dropped, rejected or parked; their sum is what was read.",
    ("pipeline", "event_type", "owner", "outcome"),
)
ROWS: Final = Metric("trivium_rows_total", "counter", "Rows committed.", ("pipeline", "event_type", "owner"))
HOLES: Final = Metric(
    "trivium_holes_total", "counter", "Offsets committed that hold no record: compacted away, or markers.", _PIPELINE
)
LAG_EVENTS: Final = Metric(
    "trivium_lag_events", "gauge", "Offsets between the table's position and the end of the log.", _PARTITION
)
LAG_SECONDS: Final = Metric(
    "trivium_lag_seconds", "gauge", "Age of the newest committed record while others wait; 0: none waits.", _PARTITION
)
FRESHNESS: Final = Metric(
    "trivium_freshness_seconds", "gauge", "Age of an epoch's newest record when it became readable.", _PIPELINE
)
COMMITS: Final = Metric("trivium_commits_total", "counter", "Epochs committed.", _PIPELINE)
COMMIT_SECONDS: Final = Metric(
    "trivium_commit_seconds",
    "histogram",
    "Time to commit an epoch, dead letters included.",
    _PIPELINE,
    (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0),
)
COMMIT_ATTEMPTS: Final = Metric(
    "trivium_commit_attempts_total", "counter", "Attempts to commit; more than commits: races were lost.", _PIPELINE
)
UNCOMMITTED_BYTES: Final = Metric(
    "trivium_uncommitted_bytes", "gauge", "Bytes of files that wait for their commit.", _PIPELINE
)
BUFFERED_BYTES: Final = Metric(
    "trivium_buffered_bytes", "gauge", "Bytes fetched and not yet processed.", ("pipeline", "worker")
)
WORKERS_LOST: Final = Metric(
    "trivium_workers_lost_total", "counter", "Workers that died or hung and were replaced.", ("pipeline", "worker")
)
RECONNECTS: Final = Metric(
    "trivium_source_reconnects_total", "counter", "Consumers made anew after a silence.", ("pipeline", "worker")
)
POSITION: Final = Metric("trivium_position", "gauge", "The table's position: the next offset to read.", _PARTITION)

CATALOGUE: Final = (
    INPUTS,
    ROWS,
    HOLES,
    LAG_EVENTS,
    LAG_SECONDS,
    FRESHNESS,
    COMMITS,
    COMMIT_SECONDS,
    COMMIT_ATTEMPTS,
    UNCOMMITTED_BYTES,
    BUFFERED_BYTES,
    WORKERS_LOST,
    RECONNECTS,
    POSITION,
)

REQUESTS: Final = Metric(
    "trivium_requests_total", "counter", "Requests answered or refused, by HTTP status.", (*_REPLICA, "status")
)
REQUEST_SECONDS: Final = Metric(
    "trivium_request_seconds",
    "histogram",
    "Time a replica took for a request; at most 500 requests a second are measured.",
    _REPLICA,
    (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
REQUESTS_ONGOING: Final = Metric("trivium_requests_ongoing", "gauge", "Requests under way.", _REPLICA)
EVENTS_ANSWERED: Final = Metric(
    "trivium_events_answered_total",
    "counter",
    "Events answered, by outcome: emitted, dropped or rejected.",
    (*_REPLICA, "event_type", "owner", "outcome"),
)
ROWS_ANSWERED: Final = Metric(
    "trivium_rows_answered_total", "counter", "Rows in answers.", (*_REPLICA, "event_type", "owner")
)

SERVING_CATALOGUE: Final = (REQUESTS, REQUEST_SECONDS, REQUESTS_ONGOING, EVENTS_ANSWERED, ROWS_ANSWERED)

_LOOKUP: Final = ("pipeline", "runtime", "lookup", "worker")
LOOKUP_OUTCOMES: Final = ("cached", "found", "missing", "stale", "unavailable")
"""What becomes of a key, as the fields of `LookupMetrics` are called."""
LOOKUP_KEYS: Final = Metric(
    "trivium_lookup_keys_total",
    "counter",
    "Keys asked, by outcome: cached (kept from earlier, rows and absences), found, missing, stale or unavailable.",
    (*_LOOKUP, "outcome"),
)
LOOKUP_CALLS: Final = Metric("trivium_lookup_calls_total", "counter", "Calls of the lookup.", _LOOKUP)
LOOKUP_CALLED_KEYS: Final = Metric(
    "trivium_lookup_called_keys_total", "counter", "Keys that calls carried, those of retries once more.", _LOOKUP
)
LOOKUP_RETRIES: Final = Metric("trivium_lookup_retries_total", "counter", "Calls tried again.", _LOOKUP)
LOOKUP_FAILURES: Final = Metric(
    "trivium_lookup_failures_total", "counter", "Calls that failed for a passing reason.", _LOOKUP
)
LOOKUP_TIMEOUTS: Final = Metric(
    "trivium_lookup_timeouts_total", "counter", "Calls without an answer in time, and keys without a turn.", _LOOKUP
)
LOOKUP_OPENINGS: Final = Metric(
    "trivium_lookup_breaker_openings_total", "counter", "Times the breaker stopped calls.", _LOOKUP
)
LOOKUP_BREAKER: Final = Metric(
    "trivium_lookup_breaker", "gauge", "The breaker: 0 closed (calls go), 1 half open (one probes), 2 open.", _LOOKUP
)
LOOKUP_IN_FLIGHT: Final = Metric("trivium_lookup_calls_in_flight", "gauge", "Calls under way.", _LOOKUP)
LOOKUP_WAITING: Final = Metric("trivium_lookup_waiting", "gauge", "Portions of keys that wait for a turn.", _LOOKUP)
LOOKUP_BYTES: Final = Metric("trivium_lookup_cache_bytes", "gauge", "Bytes of kept answers.", _LOOKUP)
LOOKUP_OLDEST: Final = Metric(
    "trivium_lookup_oldest_seconds", "gauge", "Age of the oldest kept answer that was used so far.", _LOOKUP
)
LOOKUP_CALL_SECONDS: Final = Metric(
    "trivium_lookup_call_seconds",
    "histogram",
    "Time of calls, as the middle of its bucket; at most 250 calls a second are measured.",
    _LOOKUP,
    LATENCY_BUCKETS,
)

LOOKUP_CATALOGUE: Final = (
    LOOKUP_KEYS,
    LOOKUP_CALLS,
    LOOKUP_CALLED_KEYS,
    LOOKUP_RETRIES,
    LOOKUP_FAILURES,
    LOOKUP_TIMEOUTS,
    LOOKUP_OPENINGS,
    LOOKUP_BREAKER,
    LOOKUP_IN_FLIGHT,
    LOOKUP_WAITING,
    LOOKUP_BYTES,
    LOOKUP_OLDEST,
    LOOKUP_CALL_SECONDS,
)
