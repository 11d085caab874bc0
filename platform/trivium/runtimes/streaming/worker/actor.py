"""The actor of the pool: owns partitions, runs epochs, one after the other; others come in beside them."""

from __future__ import annotations

import ray

from trivium.delivery.commit.positions import RUNTIME
from trivium.runtimes.logs import log_json_lines
from trivium.runtimes.lookup_meters import LookupExporter, LookupMeters
from trivium.runtimes.streaming.job import EpochRequest, EpochResult, StreamJob
from trivium.runtimes.streaming.worker.epoch_runner import EpochRunner


class StreamWorker:
    """Hosts an `EpochRunner`. Opening is a call of its own, so that what it raises arrives in its own words."""

    def __init__(self, job: StreamJob) -> None:
        self._job = job
        self._runner: EpochRunner | None = None
        self._exporter: LookupExporter | None = None

    def open(self) -> str:
        """Get ready to run epochs; returns the node's id."""
        log_json_lines()
        runner = self._runner = EpochRunner(self._job)
        context = ray.get_runtime_context()
        meters = LookupMeters(runner.pipeline, runner.clients, RUNTIME, str(context.get_actor_id()))
        self._exporter = LookupExporter(meters)
        return str(context.get_node_id())

    def run(self, request: EpochRequest) -> EpochResult:
        """Run an epoch."""
        return self._opened().run(request)

    def reject(self, partition: str, position: int, reason: str, error: str) -> EpochResult:
        """Make one record a dead letter without running it."""
        return self._opened().reject(partition, position, reason, error)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def cut(self) -> None:
        """End the running epoch early. Before it is open there is none, and after a stop none is ended."""
        if self._runner is not None:
            self._runner.cut()

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def waits_for(self) -> str | None:
        """Return what the running epoch waits for, None: it does not wait for facts."""
        return None if self._runner is None else self._runner.waits_for()

    def close(self) -> None:
        """Close the source, and export the use of lookups for the last time."""
        if self._exporter is not None:
            self._exporter.close()
        self._opened().close()

    def _opened(self) -> EpochRunner:
        assert self._runner is not None, "the first call is open()"
        return self._runner
