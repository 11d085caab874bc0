"""Hosts that wait in place: one batch, or one request, after the other, with clients around the lookups."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.config.worker_spec import WorkerSpec
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock, Deadline, SystemClock
from trivium.engine.batch import Batch
from trivium.engine.lookups.clients import clients_of
from trivium.engine.outcomes import Outcomes
from trivium.engine.requests.answer import EventAnswer
from trivium.engine.requests.worker import RequestWorker
from trivium.engine.steps import run_in_place
from trivium.engine.worker import Worker


class BlockingWorker:
    """Runs batches of one pipeline. `lookups` answers the specification's lookups by name."""

    def __init__(self, spec: WorkerSpec, lookups: Mapping[str, Lookup], clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.worker = Worker(spec, self._clock)
        self.clients = clients_of(spec.lookups, lookups, self._clock)

    def run(self, batch: Batch) -> Outcomes:
        """Return the outcome of every input of a batch; raises what `Worker.steps` does."""
        return run_in_place(self.worker.steps(batch), self.clients, self._clock)


class BlockingRequests:
    """Answers requests of one pipeline. `lookups` answers the specification's lookups by name."""

    def __init__(self, spec: WorkerSpec, lookups: Mapping[str, Lookup], clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._worker = RequestWorker(spec, self._clock)
        self.clients = clients_of(spec.lookups, lookups, self._clock)

    def answer(
        self, body: bytes, event_type: str | None = None, limit: Deadline | None = None, max_events: int = 1
    ) -> list[EventAnswer]:
        """Return the outcome of each event of a body; raises what `RequestWorker.steps` does."""
        steps = self._worker.steps(body, event_type, limit, max_events)
        return run_in_place(steps, self.clients, self._clock, limit)
