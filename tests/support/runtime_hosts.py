"""The three runtimes' own hosts of workers around one pipeline, without Ray, Kafka or a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from trivium.config.model.serving import Serving
from trivium.config.worker_spec import WorkerSpec
from trivium.contract.lookup import Lookup
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.lookups.clients import clients_of
from trivium.engine.outcomes import Outcomes
from trivium.engine.requests.worker import EventAnswer, RequestWorker
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import EventRequest, LoopAnswering

RUNTIMES: Final = ("batch", "streaming", "serving")
Made = tuple[Any, dict[str, str] | None]
"""The value of the column `text` of an event's row, and the states of its enrichments; of a reject its reason twice."""
Given = Mapping[str, Any]
"""An event by its fields, `event_type` and `id` included."""


class BatchesHost:
    """Batch, which takes typed columns, all events in one unit, or streaming, which takes a few records at a time."""

    def __init__(self, runtime: str, spec: WorkerSpec, lookups: Mapping[str, Lookup], columns: pa.Schema) -> None:
        clock = SystemClock()
        self.clients = clients_of(spec.lookups, lookups, clock)
        self.in_flight: InFlight[int] = InFlight(Worker(spec, clock), self.clients, clock)
        self._typed, self._columns = runtime == "batch", columns

    def run(self, events: Sequence[Given], at_once: int = 2) -> list[Made]:
        """Return what became of events, in their order; raises what ends a run."""
        self.in_flight.drop()
        return [made for number, out in self._finished(self._parts(events, at_once)) for made in _made(out, number)]

    def close(self) -> None:
        """End the clients."""
        for client in self.clients.values():
            client.close()

    def _parts(self, events: Sequence[Given], at_once: int) -> Iterator[Batch]:
        size = max(1, len(events)) if self._typed else at_once
        for start in range(0, len(events), size):
            part = events[start : start + size]
            places = np.arange(start, start + len(part))
            if self._typed:
                yield TypedBatch(pa.RecordBatch.from_pylist(part, self._columns), "facts.parquet", places)
            else:
                yield RawBatch([record(each) for each in part], "topic/0", places)

    def _finished(self, batches: Iterator[Batch]) -> Iterator[tuple[int, Outcomes]]:
        """Yield results as `UnitRunner` takes them; the numbers of batches must come in order."""
        parts = ((number, batch, 1000) for number, batch in enumerate(batches))
        for due, done in enumerate(self.in_flight.run(parts)):
            assert done[0] == due
            yield done


class RequestsHost:
    """Serving: every event is a request of its own, all of them at the same time in one event loop."""

    def __init__(self, spec: WorkerSpec, lookups: Mapping[str, Lookup], seconds: float = 10.0) -> None:
        self._clock, self._seconds = SystemClock(), seconds
        self.clients = clients_of(spec.lookups, lookups, self._clock)
        admission = Admission(Serving(route="/facts", max_ongoing_requests=100_000), self._clock)
        self.answering = LoopAnswering(RequestWorker(spec, self._clock), self.clients, admission, 100, self._clock)
        self._runner = asyncio.Runner()

    def run(self, events: Sequence[Given]) -> list[Made]:
        """Return what became of events, in their order; raises what a request ended with."""
        return self._runner.run(self._all(events))

    def close(self) -> None:
        """End the clients, and the loop."""
        self.answering.close()
        self._runner.close()

    async def _all(self, events: Sequence[Given]) -> list[Made]:
        answers = await asyncio.gather(*map(self._answer, events))
        return [_answered(event) for answer in answers for event in answer]

    async def _answer(self, event: Given) -> Sequence[EventAnswer]:
        limit = Deadline.after(self._clock, self._seconds)
        return await self.answering.answer(EventRequest(record(event), None, limit, self._seconds))


Host = BatchesHost | RequestsHost


def host_of(runtime: str, spec: WorkerSpec, lookups: Mapping[str, Lookup], columns: pa.Schema) -> Host:
    """Return the host of a runtime; `columns` are the types of events' fields where they come typed."""
    if runtime == "serving":
        return RequestsHost(spec, lookups)
    return BatchesHost(runtime, spec, lookups, columns)


def record(event: Given) -> bytes:
    """Return an event as JSON."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in event.items()}
    return json.dumps(plain).encode()


def _made(out: Outcomes, number: int) -> list[Made]:
    found: dict[int, Made] = {reject.index: (reject.reason, {"": reject.stage}) for reject in out.rejects}
    for emitted in out.emitted.values():
        texts, states = (emitted.rows.column(name).to_pylist() for name in ("text", "_enrichments"))
        for row, text, state in zip(emitted.parents.tolist(), texts, states, strict=True):
            assert row not in found
            found[row] = (text, None if state is None else json.loads(state))
    assert sorted(found) == list(range(out.read)), f"batch {number} has inputs without an outcome"
    return [found[row] for row in range(out.read)]


def _answered(event: EventAnswer) -> Made:
    if event.outcome == "rejected":
        return event.reason, {"": str(event.stage)}
    (row,) = event.rows
    return row.text, event.enrichments
