"""One event type's part of the path: accept, enrich, process, validate, columnarise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.config.worker_spec import BoundExecutor, WorkerSpec
from trivium.contract.executor import Executor
from trivium.core.clock import Clock, Deadline
from trivium.core.error_text import class_name, raised
from trivium.core.errors import RunError
from trivium.core.interrupts import Interrupts, is_interrupt
from trivium.engine.batch import Batch
from trivium.engine.enrich import EnrichmentResult, EnrichmentStep, LookupUse, enrichment_steps
from trivium.engine.guard import ImpureError, guard_of
from trivium.engine.inputs import ColumnInputs, Inputs, RowInputs, Rows
from trivium.engine.invoke import ColumnForm, RowForm, as_exception
from trivium.engine.outcomes import Outcomes, Reject
from trivium.engine.retry import Chosen, Failures, GivenUp, IsRetryable, never, retry_failed
from trivium.engine.rows.emit import (
    Checked,
    check_columns,
    check_rows,
    refuse_repeated_identity,
    refuse_times_outside,
)
from trivium.engine.rows.emitted import Emitted, Structs
from trivium.engine.rows.lineage import Origin, Places
from trivium.engine.rows.quick_check import QuickCheck
from trivium.types.convert import StructBuilder
from trivium.types.spec import UTC_MICROSECONDS

_FEW: Final = 128
"""Rows of one type and batch that are judged as structs: beyond, columns at once cost less."""


@dataclass
class Invocation:
    """One type's inputs after their executor was called.

    `inputs` are those still in play and `facts` what was fetched for them; `form` holds the executor's answers by place
    in `inputs`, None where nothing was left to ask it.
    """

    inputs: Inputs
    facts: dict[str, EnrichmentResult]
    rejects: list[Reject]
    form: RowForm | ColumnForm | None = None

    def keep(self, keep: Rows) -> None:
        """Leave only the inputs at these places in play."""
        chosen = pa.array(keep)
        self.inputs = self.inputs.take(keep)
        self.facts = {name: fact.take(chosen) for name, fact in self.facts.items()}


class TypeWorker:
    """Runs one executor. `run` writes its answers into the batch's outcomes; `call` and `check` are its two halves."""

    def __init__(self, bound: BoundExecutor, uses: Mapping[str, LookupUse], spec: WorkerSpec, clock: Clock) -> None:
        self._bound, self._spec, self._clock = bound, spec, clock
        self._earliest = pa.scalar(spec.earliest, UTC_MICROSECONDS)
        self._latest = pa.scalar(spec.latest, UTC_MICROSECONDS)
        self._declaration = bound.declaration
        self._quick = QuickCheck(bound.declaration, spec.earliest, spec.latest)
        self._origin = Origin(bound.event_type, spec.logic, spec.plan, bound.version)
        self._executor = _opened(bound)
        self._guard = guard_of(f"the executor of {bound.event_type}", spec.purity)
        self._interrupts = Interrupts()
        self._steps: list[EnrichmentStep] = enrichment_steps(self._declaration, uses, clock)
        self._structs = StructBuilder(self._declaration.event, self._declaration.event_fields)

    def inputs_from_structs(self, rows: Rows, events: Sequence[Any]) -> Inputs:
        """Decoded events in the executor's form."""
        if self._declaration.form == "row":
            return RowInputs(rows, events)
        return ColumnInputs.of(rows, events, self._declaration.event_fields)

    def inputs_from_columns(self, rows: Rows, columns: pa.RecordBatch) -> Inputs:
        """Conformed columns in the executor's form."""
        if self._declaration.form == "column":
            return ColumnInputs(rows, columns)
        return RowInputs(rows, self._structs.build(columns))

    def run(self, inputs: Inputs, batch: Batch, out: Outcomes) -> None:
        """Take one type's events of a batch to their outcomes."""
        called = self.call(inputs)
        made, places, nbytes = self._made(called)
        parents = called.inputs.rows[places]
        if called.rejects or not np.array_equal(parents, inputs.rows):
            self._record(out, called.rejects, _without(inputs.rows, parents, called.rejects))
        if len(parents):
            out.emitted[self._declaration.event_type] = Emitted(
                made, self._declaration.row_specs, self._origin, self._places(called, batch, places, parents), nbytes
            )

    def call(self, inputs: Inputs, limit: Deadline | None = None) -> Invocation:
        """Accept, enrich and process. Nothing waits beyond `limit`, or beyond what the policies say.

        Raises:
            RunError: a lookup stayed unavailable and the pipeline says that this fails the run.
        """
        rejects: list[Reject] = []
        called = Invocation(self._accepted(inputs, rejects), {}, rejects)
        for step in self._steps:
            self._enrich(step, called, limit)
        if len(called.inputs.rows):
            called.form = self._form(called)
            given_up = self._process(called.form, limit)
            rejects += [self._reject(int(called.inputs.rows[i]), "process", each) for i, each in given_up.items()]
        return called

    def _process(self, form: RowForm | ColumnForm, limit: Deadline | None) -> dict[int, GivenUp]:
        """Ask the executor about every event; return those it failed on for good, by their place in the form."""

        def attempt(chosen: Chosen | None, retryable: IsRetryable) -> Failures:
            with self._interrupts, self._guard:
                return form.attempt(chosen, retryable)

        policy, began = self._bound.retry, self._clock.monotonic()
        failures = attempt(None, self._is_retryable if policy.attempts > 1 else never)
        if not failures:
            return {}
        deadline = Deadline(self._clock, began + policy.deadline_seconds).within(limit)
        return retry_failed(failures, attempt, self._is_retryable, policy, deadline)

    def _made(self, called: Invocation) -> tuple[Structs | pa.RecordBatch, Rows, int]:
        """Return the good rows, the place of the input each came from, and about how many bytes they take."""
        form = called.form
        if isinstance(form, RowForm) and 0 < len(form.rows) <= _FEW:
            size = self._quick.size(form.rows, form.parents)
            if size is not None and form.parents == sorted(form.parents):
                return form.rows, np.asarray(form.parents, np.int64), size
        checked = self.check(called)
        return checked.columns, checked.parents, checked.columns.nbytes

    def check(self, called: Invocation) -> Checked:
        """Hold what the executor answered to its declaration; what is refused joins the rejects."""
        checked = self._checked(called.form)
        rows, event_type = called.inputs.rows, self._declaration.event_type
        called.rejects += [
            Reject(int(rows[at]), "validate", "invalid_row", text, event_type) for at, text in checked.refused.items()
        ]
        return checked

    def _record(self, out: Outcomes, rejects: list[Reject], dropped: Rows) -> None:
        out.rejects += rejects
        if len(dropped):
            out.dropped[self._declaration.event_type] = dropped

    def _accepted(self, inputs: Inputs, rejects: list[Reject]) -> Inputs:
        if not self._declaration.has_accepts or not isinstance(inputs, RowInputs):
            return inputs
        keep = []
        with self._interrupts, self._guard:
            for place, event in enumerate(inputs.events):
                try:
                    if self._executor.accepts(event):
                        keep.append(place)
                except BaseException as error:  # noqa: BLE001
                    failure = GivenUp(as_exception(error), 1)
                    rejects.append(self._reject(int(inputs.rows[place]), "accept", failure))
        return inputs if len(keep) == len(inputs.rows) else inputs.take(np.asarray(keep, np.int64))

    def _enrich(self, step: EnrichmentStep, work: Invocation, limit: Deadline | None) -> None:
        if not len(work.inputs.rows):
            return
        fact = step.fetch(work.inputs, limit)
        work.facts[step.name] = fact
        missing = step.enrichment.missing
        if missing == "null" or not (misses := fact.misses()):
            return
        if missing == "reject":
            for place, miss in misses.items():
                error = f"enrichment {step.name}: {_MISS_TEXT[miss].format(lookup=step.enrichment.lookup)}"
                index = int(work.inputs.rows[place])
                work.rejects.append(Reject(index, "enrich", f"enrichment_{miss}", error, self._declaration.event_type))
        keep = np.setdiff1d(np.arange(len(work.inputs.rows)), np.fromiter(misses, np.int64))
        work.keep(keep)

    def _checked(self, form: RowForm | ColumnForm | None) -> Checked:
        specs = self._declaration.row_specs
        if form is None:
            return Checked(pa.RecordBatch.from_pylist([], schema=self._declaration.row_schema), np.empty(0, np.int64))
        if isinstance(form, RowForm):
            checked = check_rows(form.rows, form.parents, specs)
        elif form.pieces:
            checked = check_columns(form.pieces, specs)
        else:
            checked = check_rows([], [], specs)
        checked = refuse_times_outside(checked, self._earliest, self._latest)
        return refuse_repeated_identity(checked)

    def _is_retryable(self, error: Exception) -> bool:
        try:
            with Interrupts():
                return bool(self._executor.is_retryable(error))
        except BaseException as failed:
            if is_interrupt(failed):
                raise
            return False

    def _form(self, work: Invocation) -> RowForm | ColumnForm:
        if isinstance(work.inputs, RowInputs):
            if not self._steps:
                return RowForm(self._executor, work.inputs, ())
            structs = {step.name: step.structs(work.facts[step.name]) for step in self._steps}
            return RowForm(self._executor, work.inputs, [structs[name] for name in self._declaration.parameters])
        columns = {step.name: step.columns(work.facts[step.name]) for step in self._steps}
        return ColumnForm(self._executor, work.inputs, columns)

    def _reject(self, index: int, stage: str, failure: GivenUp) -> Reject:
        error = failure.error
        reason = "impure" if issubclass(type(error), ImpureError) else class_name(error)
        return Reject(index, stage, reason, raised(error), self._declaration.event_type, failure.attempts)

    def _places(self, work: Invocation, batch: Batch, places: Rows, parents: Rows) -> Places:
        texts = _enrichment_texts(work.facts, len(work.inputs.rows)) if work.facts else None
        enrichments = None if texts is None else texts.take(pa.array(places))
        return Places(parents, batch.source, batch.positions[parents], self._clock.now_us(), enrichments)


def _opened(bound: BoundExecutor) -> Executor[Any, Any]:
    """Return a new executor, ready to be called.

    Raises:
        RunError: its constructor or its `open` failed.
    """
    try:
        with Interrupts():
            executor = bound.create()
            executor.open(bound.artifacts)
            return executor
    except BaseException as error:
        if is_interrupt(error):
            raise
        message = f"the executor of {bound.event_type} did not open: {raised(error)}. Try: correct its open()"
        raise RunError(message) from error


def _without(rows: Rows, parents: Rows, rejects: list[Reject]) -> Rows:
    """Return the rows that were neither emitted nor rejected."""
    left = np.zeros(int(rows.max(initial=-1)) + 1, np.bool_)
    left[rows] = True
    left[parents] = False
    left[[reject.index for reject in rejects]] = False
    return np.flatnonzero(left).astype(np.int64)


_MISS_TEXT = {
    "missing": "{lookup} has no row for the event's key",
    "null_key": "the event's key is null",
    "unavailable": "{lookup} was unavailable",
}


def _enrichment_texts(facts: Mapping[str, EnrichmentResult], length: int) -> pa.Array | None:
    """Return what was no plain hit as JSON, one text an event; None where all were hits."""
    states: dict[int, dict[str, str]] = {}
    for name, fact in facts.items():
        for place, miss in fact.misses().items():
            states.setdefault(place, {})[name] = miss
    if not states:
        return None
    texts: npt.NDArray[np.object_] = np.full(length, None, object)
    for place, state in states.items():
        texts[place] = msgspec.json.encode(state).decode()
    return pa.array(texts, pa.string())
