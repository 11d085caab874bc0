"""The metrics of a process's lookups, exported by the process that asks them: it knows them while it waits, too."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, Protocol

from trivium.config.pipeline import Pipeline
from trivium.engine import metrics
from trivium.engine.lookups.metrics import LATENCY_BUCKETS, LookupMetrics, joined
from trivium.runtimes.meters import Meters

_EVERY_SECONDS: Final = 1.0
_MOST: Final = 250
"""The most calls of which an export measures the time; of more it takes a share of each bucket."""
_BREAKER: Final = {"closed": 0, "half_open": 1, "open": 2}
_MIDDLES: Final = (*(sum(pair) / 2 for pair in pairwise((0.0, *LATENCY_BUCKETS))), 2 * LATENCY_BUCKETS[-1])
"""A value within each bucket of the histogram: only how many calls it holds is known."""

_log = logging.getLogger(__name__)


class Measured(Protocol):
    """A client of a lookup, as its metrics are read."""

    def metrics(self) -> LookupMetrics:
        """Return the counters and gauges as they are now."""
        ...


Clients = Callable[[], Iterable[Mapping[str, Measured]]]


class LookupMeters:
    """The metrics of one process: `clients` returns its clients by lookup, perhaps several sets of them."""

    def __init__(self, pipeline: Pipeline, clients: Clients, runtime: str, worker: str) -> None:
        self._clients = clients
        self._meters = Meters(pipeline, metrics.LOOKUP_CATALOGUE, runtime=runtime, worker=worker)
        self._observed: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def export(self) -> None:
        """Bring the meters up to date."""
        found: dict[str, list[LookupMetrics]] = {}
        with self._lock:
            for clients in self._clients():
                for name, client in clients.items():
                    found.setdefault(name, []).append(client.metrics())
            for name, parts in found.items():
                self._export(name, joined(parts))

    def _export(self, lookup: str, found: LookupMetrics) -> None:
        meters = self._meters
        for outcome in metrics.LOOKUP_OUTCOMES:
            meters.raise_to(metrics.LOOKUP_KEYS, getattr(found, outcome), lookup=lookup, outcome=outcome)
        for metric, total in (
            (metrics.LOOKUP_CALLS, found.calls),
            (metrics.LOOKUP_CALLED_KEYS, found.called_keys),
            (metrics.LOOKUP_RETRIES, found.retries),
            (metrics.LOOKUP_FAILURES, found.failures),
            (metrics.LOOKUP_TIMEOUTS, found.timeouts),
            (metrics.LOOKUP_OPENINGS, found.breaker_openings),
        ):
            meters.raise_to(metric, total, lookup=lookup)
        for metric, value in (
            (metrics.LOOKUP_BREAKER, _BREAKER[found.breaker]),
            (metrics.LOOKUP_IN_FLIGHT, found.in_flight),
            (metrics.LOOKUP_WAITING, found.waiting),
            (metrics.LOOKUP_BYTES, found.cache_bytes),
            (metrics.LOOKUP_OLDEST, found.oldest_seconds),
        ):
            meters.set(metric, value, lookup=lookup)
        before = self._observed.get(lookup, [0] * len(found.latency))
        new = [count - known for count, known in zip(found.latency, before, strict=True)]
        share = min(1.0, _MOST / max(1, sum(new)))
        for value, count in zip(_MIDDLES, new, strict=True):
            for _ in range(math.ceil(count * share)):
                meters.observe(metrics.LOOKUP_CALL_SECONDS, value, lookup=lookup)
        self._observed[lookup] = found.latency


class LookupExporter:
    """Exports the metrics of a process every second, from a thread of its own, until it is closed."""

    def __init__(self, meters: Any) -> None:
        self._meters, self._ended = meters, threading.Event()
        self._thread = threading.Thread(target=self._run, name="trivium-lookup-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Export for the last time."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self._export()
        self._export()

    def _export(self) -> None:
        try:
            self._meters.export()
        except Exception as error:  # noqa: BLE001 - a run goes on without its metrics
            _log.debug("the metrics of lookups were not exported: %s", error)
