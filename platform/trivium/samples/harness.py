"""One executor in a worker of its own, given records and the facts that lookups know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.config.worker_spec import BoundExecutor, WorkerSpec
from trivium.contract.declaration import Declaration
from trivium.contract.retry import RetryPolicy
from trivium.core.error_text import UNTRUSTED_CHARACTERS, bounded
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.decoding.decoded import Decoded
from trivium.engine.outcomes import UNROUTED, Outcomes, Reject
from trivium.samples.fact_reader import FactReader
from trivium.samples.facts import FactKey, Facts, SampleLookup, tell
from trivium.samples.file import Outcome
from trivium.samples.stages import Answering, ask_stages
from trivium.types.convert import columns_of
from trivium.types.plain import plain
from trivium.types.rows import row_fields

_SOURCE: Final = "samples.jsonl"
_TYPE_COLUMN: Final = "event_type"


@dataclass(frozen=True)
class Case:
    """A record and what lookups know of it."""

    event: bytes
    facts: Facts = field(default_factory=dict)


class Trial:
    """Asks one executor, through the real worker, with nothing retried. Opens the executor when it is made.

    Cases of one call must agree in their facts (`facts.together`).
    """

    def __init__(self, spec: WorkerSpec, bound: BoundExecutor) -> None:
        once = RetryPolicy(attempts=1)
        lookups = {name: replace(each, retry=once) for name, each in spec.lookups.items()}
        alone = {bound.event_type: replace(bound, retry=once)}
        self._declaration, self._tag_field = bound.declaration, spec.routing.tag_field
        self._lookups = {name: SampleLookup(lookup) for name, lookup in lookups.items()}
        self._worker = BlockingWorker(replace(spec, executors=alone, lookups=lookups), self._lookups)
        self._schema = bound.declaration.row_schema

    def ask(self, cases: Sequence[Case]) -> list[Outcome]:
        """Return each case's outcome, as JSON records of one batch."""
        values = [case.event for case in cases]
        return self._outcomes(cases, RawBatch(values, _SOURCE, np.arange(len(values)), self._types(values)))

    def ask_columns(self, cases: Sequence[Case]) -> list[Outcome | None]:
        """Return each case's outcome, as typed columns of one batch; None for records that are no such event."""
        rows, events = self.decode(cases).events.get(self._declaration.event_type, ([], []))
        columns = typed_columns(self._declaration, events, self._tag_field or _TYPE_COLUMN)
        chosen = [cases[row] for row in rows]
        outcomes = self._outcomes(chosen, TypedBatch(columns, _SOURCE, np.arange(len(rows)))) if chosen else []
        found: list[Outcome | None] = [None] * len(cases)
        for row, outcome in zip(rows, outcomes, strict=True):
            found[row] = outcome
        return found

    def missed(self) -> list[FactKey]:
        """Return the keys of the last call that the facts have no row of."""
        return [key for lookup in self._lookups.values() for key in lookup.missed]

    def reader(self) -> FactReader:
        """Return a reader of the facts beside events, with the keys that this executor has for them."""
        return FactReader(self._worker.worker, self._declaration, self._types([b""]))

    def ask_stages(self, case: Case, answer: Answering) -> None:
        """Ask for the facts of a case's event, if it is one of this executor, as the worker does."""
        name = self._declaration.event_type
        for event in self.decode([case]).events.get(name, ([], []))[1]:
            ask_stages(self._worker.worker.types[name], [event], answer)

    def decode(self, cases: Sequence[Case]) -> Decoded:
        """Return the cases' events as the worker decodes them."""
        values = [case.event for case in cases]
        return self._worker.worker.decoder.decode(values, self._types(values))

    def _types(self, values: Sequence[bytes]) -> list[str] | None:
        return None if self._tag_field else [self._declaration.event_type] * len(values)

    def _outcomes(self, cases: Sequence[Case], batch: Batch) -> list[Outcome]:
        tell(self._lookups, [case.facts for case in cases])
        outcomes = self._worker.run(batch)
        return [self._outcome(outcomes, row) for row in range(len(cases))]

    def _outcome(self, outcomes: Outcomes, row: int) -> Outcome:
        for reject in outcomes.rejects:
            if reject.index == row:
                return Outcome(rejected=reject.reason, note=_note(reject))
        emitted = outcomes.emitted.get(self._declaration.event_type)
        if emitted is not None and (emitted.parents == row).any():
            first, stop = np.searchsorted(emitted.parents, [row, row + 1])
            rows = emitted.rows.slice(first, stop - first).select(self._schema.names).to_pylist()
            return Outcome(tuple(plain_row(each, self._declaration) for each in rows))
        unrouted = row in outcomes.dropped.get(UNROUTED, ())
        return Outcome(note=f"its {self._tag_field} is not {self._declaration.event_type}" if unrouted else "")


def _note(reject: Reject) -> str:
    """Return an error with the author's line; what is long is cut, so that the line stays in sight."""
    at = reject.raised_at
    return reject.error if at is None else f"{bounded(reject.error, UNTRUSTED_CHARACTERS)} {at.said}"


def typed_columns(declaration: Declaration, events: Sequence[Any], tag_column: str | None) -> pa.RecordBatch:
    """Decoded events of one type as a typed source has them: wire names, and the column that names their type."""
    fields = declaration.event_fields
    columns = columns_of(events, fields)
    named = {spec.wire: columns.column(spec.name).view(spec.type.kind.wired(spec.type)) for spec in fields}
    if tag_column is not None:
        named[tag_column] = pa.array([declaration.event_type] * len(events))
    return pa.RecordBatch.from_pydict(named)


def plain_row(row: Mapping[str, Any], declaration: Declaration) -> dict[str, Any]:
    """Return a row, of a table or of JSON, as plain JSON data; what is no column of the row stays as it is."""
    plained = dict(row)
    for name, arrow, from_json in _translated(declaration.row, declaration.row_schema):
        value = plained.get(name)
        if value is None:
            continue
        if from_json is not None:
            with suppress(ValueError, TypeError, AttributeError):  # a sample may say anything
                value = from_json(value)
        plained[name] = plain(value, arrow)
    return plained


@lru_cache(maxsize=1024)
def _translated(row: type, schema: pa.Schema) -> list[tuple[str, pa.DataType, Callable[[Any], Any] | None]]:
    """Return the columns whose values are no JSON data as they are, or stand in JSON as others."""
    ways = {spec.name: spec.type.kind.from_json(spec.type) for spec in row_fields(row)}
    return [
        (each.name, each.type, ways[each.name])
        for each in schema
        if ways[each.name] is not None or not (pt.is_integer(each.type) or pt.is_string(each.type))
    ]
