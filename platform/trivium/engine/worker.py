"""The one path every event takes: decode, route, accept, enrich, process, validate, columnarise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from trivium.config.pipeline import Pipeline
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock, SystemClock
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.concealment import Concealment
from trivium.engine.decoding.decoded import Decoded
from trivium.engine.decoding.named import NamedDecoder
from trivium.engine.decoding.tagged import JsonDecoder
from trivium.engine.decoding.typed_columns import route
from trivium.engine.enrich import LookupUse
from trivium.engine.inputs import Inputs
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Outcomes, Reject
from trivium.engine.type_worker import Settings, TypeWorker
from trivium.types.spec import UTC_MICROSECONDS

_POLICY_REJECTS: Final = {
    UNROUTED: ("unrouted", "its event type is not declared in this pipeline and routing.unrouted is reject"),
    TOMBSTONE: ("tombstone", "the record has no value and routing.tombstones is reject"),
}


class Worker:
    """Takes batches of one pipeline through its executors. Owns executor instances; not thread-safe.

    `lookups` answers the pipeline's lookups by name. Executors' `open` is called once, here.
    """

    def __init__(self, pipeline: Pipeline, lookups: Mapping[str, Lookup], clock: Clock | None = None) -> None:
        self._pipeline = pipeline
        self._clock = clock or SystemClock()
        self._declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
        routing = pipeline.config.routing
        self._json = JsonDecoder(self._declarations, routing.field) if routing.by_body else None
        uses = {
            name: LookupUse(name, lookups[name], bound.retry, bound.config.unavailable)
            for name, bound in pipeline.lookups.items()
        }
        settings = Settings(
            table_columns=pipeline.table_columns,
            logic=pipeline.plan.logic_short,
            plan=pipeline.plan.plan_short,
            earliest=_moment(pipeline.config.event_time.earliest, time.min),
            latest=_moment(pipeline.config.event_time.latest, time.max),
            clock=self._clock,
            purity=pipeline.config.purity,
        )
        self.settings = settings
        self._concealment = Concealment(pipeline.secrets)
        with self._concealment.of_what_is_raised():
            self.types = {name: TypeWorker(bound, uses, settings) for name, bound in pipeline.executors.items()}

    def run(self, batch: Batch) -> Outcomes:
        """The outcome of every input of a batch.

        Raises:
            RunError: a lookup stayed unavailable and the pipeline says that this fails the run.
            ValueError: a batch does not say its records' types, and no field of theirs does in this pipeline.
        """
        out = Outcomes(read=len(batch))
        inputs = self._raw(batch, out) if isinstance(batch, RawBatch) else self._typed(batch, out)
        for event_type, given in inputs.items():
            self.types[event_type].run(given, batch, out)
        self.finish(out)
        return out

    def _raw(self, batch: RawBatch, out: Outcomes) -> dict[str, Inputs]:
        decoded = self._decoded(batch)
        out.rejects += decoded.rejects
        out.dropped = {name: np.asarray(rows, np.int64) for name, rows in decoded.dropped.items()}
        return {
            name: self.types[name].inputs_from_structs(np.fromiter(rows, np.int64, len(rows)), events)
            for name, (rows, events) in decoded.events.items()
        }

    @cached_property
    def _named(self) -> NamedDecoder:
        return NamedDecoder(self._declarations)

    def _decoded(self, batch: RawBatch) -> Decoded:
        if batch.types is not None:
            return self._named.decode(batch.values, batch.types)
        if self._json is not None:
            return self._json.decode(batch.values)
        message = (
            f"expected a batch with the type of each record, as {self._pipeline.name} routes; the source gave none"
        )
        raise ValueError(message)

    def _typed(self, batch: TypedBatch, out: Outcomes) -> dict[str, Inputs]:
        routed = route(batch, self._declarations, self._pipeline.config.type_column)
        out.rejects += routed.rejects
        out.dropped = dict(routed.dropped)
        return {
            name: self.types[name].inputs_from_columns(rows, columns) for name, (rows, columns) in routed.events.items()
        }

    def finish(self, out: Outcomes) -> None:
        """Make rejects of the unrouted and the tombstones where routing says so, and leave no secret in any reject."""
        routing = self._pipeline.config.routing
        for name, policy in ((UNROUTED, routing.unrouted), (TOMBSTONE, routing.tombstones)):
            if policy == "reject" and name in out.dropped:
                reason, error = _POLICY_REJECTS[name]
                out.rejects += [Reject(int(row), "route", reason, error, name) for row in out.dropped.pop(name)]
        out.rejects = self._concealment.of(out.rejects)


def _moment(day: date, at: time) -> pa.Scalar:
    return pa.scalar(datetime.combine(day, at, UTC), UTC_MICROSECONDS)
