"""The events of one request to their outcomes, as JSON: the worker's path, with no table for a handful of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from trivium.config.worker_spec import WorkerSpec
from trivium.contract.declaration import Declaration
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock, Deadline
from trivium.engine.decoding.decoded import Decoded
from trivium.engine.decoding.whole_body import WholeBody
from trivium.engine.invoke import RowForm
from trivium.engine.outcomes import Outcomes, Reject
from trivium.engine.requests.answer import EventAnswer
from trivium.engine.requests.body import events_of
from trivium.engine.requests.row_json import RowJson
from trivium.engine.type_worker import Invocation, TypeWorker
from trivium.engine.worker import Worker

__all__ = ["EventAnswer", "RequestWorker", "encode"]

_PLACE: Final = re.compile(r" - at `(\$[^`]*)`")


_NOTHING: Final = EventAnswer("dropped")


class RequestWorker:
    """Answers requests of one pipeline. Owns executor instances; not thread-safe.

    `lookups` answers the specification's lookups by name. Outcomes are those of `Worker` on the same records.
    """

    def __init__(self, spec: WorkerSpec, lookups: Mapping[str, Lookup], clock: Clock | None = None) -> None:
        self._worker = Worker(spec, lookups, clock)
        decoder = self._worker.decoder
        self._bodies = WholeBody(decoder.types, decoder.tagged)
        self._types = {
            name: _RequestType(spec.executors[name].declaration, worker, spec)
            for name, worker in self._worker.types.items()
        }

    def answer(
        self, body: bytes, event_type: str | None = None, limit: Deadline | None = None, max_events: int = 1
    ) -> list[EventAnswer]:
        """Return the outcome of each event of a body: one JSON event, or a JSON list of at most `max_events`.

        `event_type` is what the request says of all of them; None: the routed field of each does. Lookups and retries
        wait no longer than `limit`.

        Raises:
            MalformedBody: a list whose events cannot be separated.
            TooManyEvents: more than `max_events`.
            LookupOutage: a lookup stayed unavailable and the pipeline says that this fails the run.
            ValueError: the pipeline does not route by a field of the event, and `event_type` is None.
        """
        count, decoded = self._bodies.decode(body, event_type, max_events) or self._one_by_one(
            body, event_type, max_events
        )
        answers, rejects = [_NOTHING] * count, decoded.rejects
        for name, (rows, events) in decoded.events.items():
            rejects += self._types[name].run(rows, events, limit, answers)
        if rejects or decoded.dropped:
            self._finish(decoded, rejects, answers)
        return answers

    def _finish(self, decoded: Decoded, rejects: list[Reject], answers: list[EventAnswer]) -> None:
        """Put in the answers of events that no executor got, and of rejects."""
        dropped = {name: np.asarray(rows) for name, rows in decoded.dropped.items()}
        out = Outcomes(len(answers), {}, dropped, rejects)
        self._worker.finish(out)
        for name, places in out.dropped.items():
            for row in places.tolist():
                answers[row] = EventAnswer("dropped", name)
        for reject in out.rejects:
            answers[reject.index] = _rejected(reject)

    def _one_by_one(self, body: bytes, event_type: str | None, max_events: int) -> tuple[int, Decoded]:
        values = events_of(body, max_events)
        types = None if event_type is None else [event_type] * len(values)
        return len(values), self._worker.decoder.decode(values, types)


class _RequestType:
    """One event type's part of a request."""

    def __init__(self, declaration: Declaration, worker: TypeWorker, spec: WorkerSpec) -> None:
        self._name, self._worker = declaration.event_type, worker
        self._dropped = EventAnswer("dropped", self._name)
        self._json = RowJson(declaration, spec.earliest, spec.latest)

    def run(
        self, rows: Sequence[int], events: Sequence[Any], limit: Deadline | None, answers: list[EventAnswer]
    ) -> list[Reject]:
        """Put the answers of these events in; gives the rejects, whose answers are not there yet."""
        called = self._worker.call(self._worker.inputs_from_structs(np.asarray(rows, np.int64), events), limit)
        for row in rows:
            answers[row] = self._dropped
        places = called.inputs.rows.tolist()
        for made, parent in zip(*self._written(called), strict=True):
            row = places[parent]
            if answers[row] is self._dropped:
                answers[row] = EventAnswer("emitted", self._name, [made])
            else:
                answers[row].rows.append(made)
        if called.facts:
            _tell_misses(called, places, answers)
        return called.rejects

    def _written(self, called: Invocation) -> tuple[Sequence[Any], Sequence[int]]:
        """Return the rows, and the place of the input each came from."""
        form = called.form
        if isinstance(form, RowForm):
            written = self._json.written(form.rows, form.parents)
            if written is not None:
                return written, form.parents
        checked = self._worker.check(called)
        return self._json.from_columns(checked.columns), checked.parents.tolist()


def _tell_misses(called: Invocation, places: Sequence[int], answers: list[EventAnswer]) -> None:
    """Put the states of enrichments that were no plain hit into the answers of the inputs still in play."""
    states: dict[int, dict[str, str]] = {}
    for name, fact in called.facts.items():
        for place, miss in fact.misses().items():
            states.setdefault(place, {})[name] = miss
    for place, state in states.items():
        answers[places[place]] = msgspec.structs.replace(answers[places[place]], enrichments=state)


def encode(answers: Sequence[EventAnswer]) -> bytes:
    """Encode answers as a JSON list."""
    return msgspec.json.encode(answers)


def _rejected(reject: Reject) -> EventAnswer:
    place = _PLACE.search(reject.error) if reject.stage == "decode" else None
    return EventAnswer(
        "rejected",
        reject.event_type,
        stage=reject.stage,
        reason=reject.reason,
        error=reject.error,
        path=place[1] if place else None,
        attempts=reject.attempts,
    )
