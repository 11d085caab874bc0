"""Observation of a stream: metrics, one log record a commit, and the figures of its progress line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.engine import metrics
from trivium.runtimes.meters import Meters
from trivium.runtimes.streaming.epochs import Committed, EpochCommitter
from trivium.runtimes.streaming.lag import events_behind, lags, seconds_behind
from trivium.runtimes.streaming.monitor import LogMonitor
from trivium.runtimes.streaming.pool import Lane
from trivium.runtimes.streaming.progress import Progress
from trivium.runtimes.streaming.report import StreamReport

_log = logging.getLogger(__name__)


class Observer:
    """Owns a run's metrics. `newest_us` is each partition's newest committed record time."""

    def __init__(self, pipeline: Pipeline, report: StreamReport, monitor: LogMonitor, clock: Clock) -> None:
        self._report, self._monitor, self._clock = report, monitor, clock
        self._meters, self._owner = Meters(pipeline), pipeline.owner
        self._newest_us: dict[str, int] = {}

    def committed(self, committed: Committed) -> None:
        """Count an epoch that is in the table."""
        ranges = committed.result.ranges
        newest = {name: each.newest_us for name, each in ranges.items() if each.newest_us > 0}
        self._newest_us |= newest
        freshness = (self._clock.now_us() - max(newest.values())) / 1e6 if newest else None
        self._count(committed)
        if freshness is not None:
            self._meters.set(metrics.FRESHNESS, freshness)
        _log.info(
            "committed version %d in %.3f s",
            committed.version,
            committed.seconds,
            extra={
                "version": committed.version,
                "read": committed.result.read,
                "rows": committed.result.total.emitted_rows,
                "rejected": committed.result.total.rejected,
                "parked": committed.result.total.parked,
                "seconds": round(committed.seconds, 4),
                "freshness_seconds": None if freshness is None else round(freshness, 3),
                "positions": {name: each.next for name, each in ranges.items()},
            },
        )

    def progress(self, committer: EpochCommitter, lanes: Sequence[Lane]) -> Progress:
        """Return the progress of the stream; the gauges show the same."""
        ends, positions = self._monitor.ends, self._report.positions
        found = lags(positions, ends, self._newest_us, self._clock.now_us())
        for name, lag in found.items():
            self._meters.set(metrics.LAG_EVENTS, lag.events, partition=name)
            if lag.seconds is not None:
                self._meters.set(metrics.LAG_SECONDS, lag.seconds, partition=name)
        self._meters.set(metrics.UNCOMMITTED_BYTES, committer.pending_bytes)
        self._look_at(lanes)
        total = self._report.total
        behind = events_behind(found, len(positions))
        late, letters = seconds_behind(found), self._report.dead_letters
        ready = sum(lane.ready for lane in lanes)
        return Progress(total.read, total.emitted_rows, letters, behind, late, len(lanes), ready)

    def _count(self, committed: Committed) -> None:
        meters, result = self._meters, committed.result
        for name, counts in result.counts.items():
            owner = self._owner(name)
            outcomes: Mapping[str, int] = {
                "emitted": counts.emitted_inputs,
                "dropped": counts.dropped,
                "rejected": counts.rejected,
                "parked": counts.parked,
            }
            for outcome, amount in outcomes.items():
                meters.add(metrics.INPUTS, amount, event_type=name, owner=owner, outcome=outcome)
            meters.add(metrics.ROWS, counts.emitted_rows, event_type=name, owner=owner)
        meters.add(metrics.HOLES, sum(each.holes for each in result.ranges.values()))
        meters.add(metrics.COMMITS, 1)
        meters.add(metrics.COMMIT_ATTEMPTS, committed.attempts)
        meters.observe(metrics.COMMIT_SECONDS, committed.seconds)
        for name, each in result.ranges.items():
            meters.set(metrics.POSITION, each.next, partition=name)

    def _look_at(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            worker = str(lane.number)
            self._meters.set(metrics.BUFFERED_BYTES, lane.buffered_bytes, worker=worker)
            self._meters.raise_to(metrics.WORKERS_LOST, lane.losses, worker=worker)
            self._meters.raise_to(metrics.RECONNECTS, lane.reconnects, worker=worker)
