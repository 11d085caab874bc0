"""The events of one request to their outcomes, as JSON: the worker's path, with no table for a handful of rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from trivium.config.worker_spec import WorkerSpec
from trivium.contract.declaration import Declaration
from trivium.core.clock import Clock, Deadline
from trivium.core.interrupts import Interrupts
from trivium.engine.call import call
from trivium.engine.decoding.decoded import Decoded
from trivium.engine.decoding.whole_body import WholeBody
from trivium.engine.invoke import RowForm
from trivium.engine.outcomes import Outcomes, Reject
from trivium.engine.requests.answer import EventAnswer
from trivium.engine.requests.body import events_of
from trivium.engine.requests.row_json import RowJson
from trivium.engine.steps import Steps
from trivium.engine.type_worker import Invocation, TypeWorker, states_of
from trivium.engine.worker import Worker

__all__ = ["EventAnswer", "RequestWorker", "encode"]

_PLACE: Final = re.compile(r" - at `(\$[^`]*)`")


_NOTHING: Final = EventAnswer("dropped")


class RequestWorker:
    """Answers requests of one pipeline. Owns executor instances; not thread-safe.

    Outcomes are those of `Worker` on the same records; as it, this waits for nothing and does no I/O.
    """

    def __init__(self, spec: WorkerSpec, clock: Clock | None = None) -> None:
        self._worker = Worker(spec, clock)
        self._interrupts = Interrupts()
        decoder = self._worker.decoder
        self._bodies = WholeBody(decoder.types, decoder.tagged)
        self._types = {
            name: _RequestType(spec.executors[name].declaration, worker, spec)
            for name, worker in self._worker.types.items()
        }

    def steps(
        self, body: bytes, event_type: str | None = None, limit: Deadline | None = None, max_events: int = 1
    ) -> Steps[list[EventAnswer]]:
        """Take a body, one JSON event or a JSON list of at most `max_events`, to the outcome of each of its events.

        It yields what has to be fetched or waited for; several may be on their way at a time, in one thread.
        `event_type` is what the request says of all of them; None: the routed field of each does. Retries wait no
        longer than `limit`.

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
        types = [self._types[name] for name in decoded.events]
        given = [
            (each.worker, each.worker.inputs_from_structs(np.asarray(rows, np.int64), events))
            for each, (rows, events) in zip(types, decoded.events.values(), strict=True)
        ]

        def finish(called: Sequence[Invocation]) -> None:
            nonlocal rejects
            for each, (rows, _), invocation in zip(types, decoded.events.values(), called, strict=True):
                rejects += each.tell(rows, invocation, answers)

        yield from call(given, limit, self._interrupts, finish)
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
        self._name, self.worker = declaration.event_type, worker
        self._dropped = EventAnswer("dropped", self._name)
        self._json = RowJson(declaration, spec.earliest, spec.latest)

    def tell(self, rows: Sequence[int], called: Invocation, answers: list[EventAnswer]) -> list[Reject]:
        """Put the answers of these events in; gives the rejects, whose answers are not there yet."""
        for row in rows:
            answers[row] = self._dropped
        places = called.inputs.rows.tolist()
        for made, parent in zip(*self._written(called), strict=True):
            row = places[parent]
            if answers[row] is self._dropped:
                answers[row] = EventAnswer("emitted", self._name, [made])
            else:
                answers[row].rows.append(made)
        for place, state in states_of(called.facts).items():
            answers[places[place]] = msgspec.structs.replace(answers[places[place]], enrichments=state)
        return called.rejects

    def _written(self, called: Invocation) -> tuple[Sequence[Any], Sequence[int]]:
        """Return the rows, and the place of the input each came from."""
        form = called.form
        if isinstance(form, RowForm):
            written = self._json.written(form.rows, form.parents)
            if written is not None:
                return written, form.parents
        checked = self.worker.check(called)
        return self._json.from_columns(checked.columns), checked.parents.tolist()


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
