"""The one path every event takes: decode, route, accept, enrich, process, validate, columnarise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from trivium.config.worker_spec import WorkerSpec
from trivium.core.clock import Clock, SystemClock
from trivium.core.interrupts import Interrupts
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.call import call
from trivium.engine.concealment import Concealment
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.decoding.typed_columns import route
from trivium.engine.inputs import Inputs, Rows
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Outcomes, Reject
from trivium.engine.steps import Steps
from trivium.engine.type_worker import Invocation, TypeWorker

_POLICY_REJECTS: Final = {
    UNROUTED: ("unrouted", "its event type is not declared in this pipeline and routing.unrouted is reject"),
    TOMBSTONE: ("tombstone", "the record has no value and routing.tombstones is reject"),
}


class Worker:
    """Takes batches of one pipeline through its executors. Owns executor instances; not thread-safe.

    It waits for nothing and does no I/O: `steps` says what a batch needs. `clock` stamps rows and judges deadlines.
    Executors' `open` is called once, here. Inputs of the event types that are `parked` are recognised and set aside: no
    executor is made for them, or shown one.
    """

    def __init__(self, spec: WorkerSpec, clock: Clock | None = None, parked: Collection[str] = ()) -> None:
        self.spec, self._parked = spec, frozenset(parked)
        self._declarations = spec.declarations
        self.decoder = Decoder(self._declarations, spec.routing.tag_field)
        self._concealment = Concealment(spec.secrets)
        self._interrupts = Interrupts()
        with self._concealment.of_what_is_raised():
            self.types = {
                name: TypeWorker(bound, spec, clock or SystemClock())
                for name, bound in spec.executors.items()
                if name not in self._parked
            }

    def steps(self, batch: Batch) -> Steps[Outcomes]:
        """Take a batch to the outcome of every input, yielding what has to be fetched or waited for.

        Several may be on their way at a time, in one thread.

        Raises:
            RunError: a lookup stayed unavailable and the pipeline says that this fails the run.
            ValueError: a batch does not say its records' types, and no field of theirs does in this pipeline.
        """
        out = Outcomes(read=len(batch))
        inputs = self._raw(batch, out) if isinstance(batch, RawBatch) else self._typed(batch, out)
        given = [(self.types[event_type], each) for event_type, each in inputs.items()]

        def finish(called: Sequence[Invocation]) -> None:
            for (worker, each), invocation in zip(given, called, strict=True):
                worker.finish(invocation, each, batch, out)

        yield from call(given, None, self._interrupts, finish)
        self.finish(out)
        return out

    def _raw(self, batch: RawBatch, out: Outcomes) -> dict[str, Inputs]:
        decoded = self.decoder.decode(batch.values, batch.types)
        out.rejects += decoded.rejects
        out.dropped = {name: np.asarray(rows, np.int64) for name, rows in decoded.dropped.items()}
        rows_of = {name: np.fromiter(rows, np.int64, len(rows)) for name, (rows, _) in decoded.events.items()}
        self._park(rows_of, out)
        return {
            name: self.types[name].inputs_from_structs(rows, decoded.events[name][1]) for name, rows in rows_of.items()
        }

    def _typed(self, batch: TypedBatch, out: Outcomes) -> dict[str, Inputs]:
        routed = route(batch, self._declarations, self.spec.routing.type_column)
        out.rejects += routed.rejects
        out.dropped = dict(routed.dropped)
        rows_of = {name: rows for name, (rows, _) in routed.events.items()}
        self._park(rows_of, out)
        return {
            name: self.types[name].inputs_from_columns(rows, routed.events[name][1]) for name, rows in rows_of.items()
        }

    def _park(self, rows_of: dict[str, Rows], out: Outcomes) -> None:
        """Set aside the inputs of parked types, those included that did not decode as what the type declares."""
        if not self._parked:
            return
        found = {name: [rows_of.pop(name)] for name in self._parked & rows_of.keys()}
        for reject in out.rejects:
            if reject.event_type in self._parked:
                found.setdefault(reject.event_type, []).append(np.array([reject.index], np.int64))
        out.rejects = [reject for reject in out.rejects if reject.event_type not in self._parked]
        out.parked = {name: np.sort(np.concatenate(parts)) for name, parts in sorted(found.items())}

    def finish(self, out: Outcomes) -> None:
        """Make rejects of the unrouted and the tombstones where routing says so, and leave no secret in any reject."""
        routing = self.spec.routing
        for name, policy in ((UNROUTED, routing.unrouted), (TOMBSTONE, routing.tombstones)):
            if policy == "reject" and name in out.dropped:
                reason, error = _POLICY_REJECTS[name]
                out.rejects += [Reject(int(row), "route", reason, error, name) for row in out.dropped.pop(name)]
        out.rejects = self._concealment.of(out.rejects)
