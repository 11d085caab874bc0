"""One event type's part of the path: accept, enrich, process, validate, columnarise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.config.worker_spec import BoundExecutor, WorkerSpec
from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor
from trivium.core.clock import Clock, Deadline
from trivium.core.error_text import MOST_CHARACTERS, UNTRUSTED_CHARACTERS, bounded, class_name, raised, shown
from trivium.core.errors import RunError
from trivium.core.interrupts import Interrupts, is_interrupt
from trivium.engine.author_line import AuthorLines, forget_place
from trivium.engine.batch import Batch
from trivium.engine.concealment import Concealment
from trivium.engine.enrichment.enriched import Enriched, FactState
from trivium.engine.enrichment.method_keys import keys_by_method
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.enrichment.step import EnrichmentStep
from trivium.engine.enrichment.wanted import of_column
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
from trivium.engine.steps import Steps
from trivium.types.convert import StructBuilder
from trivium.types.spec import UTC_MICROSECONDS

_FEW: Final = 128
"""Rows of one type and batch that are judged as structs: beyond, columns at once cost less."""


@dataclass
class Invocation:
    """One type's inputs on their way through their executor.

    `inputs` are those still in play and `facts` what was fetched for them; `form` holds the executor's answers by place
    in `inputs`, None where nothing was left to ask it. `failures` are those of its first attempt, `began` its time.
    """

    inputs: Inputs
    facts: dict[str, Enriched]
    rejects: list[Reject]
    form: RowForm | ColumnForm | None = None
    failures: Failures = field(default_factory=dict)
    began: float = 0.0

    def keep(self, keep: Rows) -> None:
        """Leave only the inputs at these places in play."""
        self.inputs = self.inputs.take(keep)
        self.facts = {name: fact.take(keep) for name, fact in self.facts.items()}


class TypeWorker:
    """Runs one executor: `begin`, `questions` and `receive` of each stage of its enrichments, `process`, `retry`.

    Then `finish` writes its rows into a batch's outcomes, or `check` holds its answers to their declaration.
    """

    def __init__(self, bound: BoundExecutor, spec: WorkerSpec, clock: Clock) -> None:
        self._bound, self._spec, self._clock = bound, spec, clock
        self._earliest = pa.scalar(spec.earliest, UTC_MICROSECONDS)
        self._latest = pa.scalar(spec.latest, UTC_MICROSECONDS)
        self._declaration = bound.declaration
        self._quick = QuickCheck(bound.declaration, spec.earliest, spec.latest)
        self._origin = Origin(bound.event_type, spec.logic, spec.plan, bound.version)
        self._executor = _opened(bound)
        self._conceal = Concealment(spec.secrets).text
        self._lines = AuthorLines(bound.cls, self._conceal)
        self._guard = guard_of(f"the executor of {bound.event_type}", spec.purity)
        self._interrupts = Interrupts()
        steps = {
            name: EnrichmentStep(self._declaration, name, spec.lookups[self._declaration.enrichments[name].lookup])
            for name in self._declaration.enrichments
        }
        self._steps = steps
        self.stages = _stages(self._declaration)
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

    def finish(self, called: Invocation, given: Inputs, batch: Batch, out: Outcomes) -> None:
        """Write the outcomes of the inputs that were given into those of their batch."""
        made, places, nbytes = self._made(called)
        parents = called.inputs.rows[places]
        if called.rejects or not np.array_equal(parents, given.rows):
            self._record(out, called.rejects, _without(given.rows, parents, called.rejects))
        if len(parents):
            out.emitted[self._declaration.event_type] = Emitted(
                made, self._declaration.row_specs, self._origin, self._places(called, batch, places, parents), nbytes
            )

    def begin(self, inputs: Inputs) -> Invocation:
        """Return the inputs that the executor accepts."""
        rejects: list[Reject] = []
        return Invocation(self._accepted(inputs, rejects), {}, rejects)

    def questions(self, stage: int, called: Invocation) -> list[KeyQuestion]:
        """Return the questions of one stage; an event whose key cannot be had is rejected."""
        steps = [self._steps[name] for name in self.stages[stage]]
        columns = self._keys_of_methods([step for step in steps if step.key.method], called)
        if not len(called.inputs.rows):
            return []
        return [
            KeyQuestion.of(
                step,
                of_column(columns[step.name], step.key, called.inputs)
                if step.key.method
                else step.wanted(called.inputs, partial(self._inner, called)),
            )
            for step in steps
        ]

    def receive(self, stage: int, called: Invocation, answers: Sequence[Enriched]) -> None:
        """Take the answers to a stage's questions; events without a fact that they need are dropped or rejected."""
        if not answers:
            return
        for name, fact in zip(self.stages[stage], answers, strict=True):
            called.facts[name] = fact
        for name in self.stages[stage]:
            self._without_facts(self._steps[name], called)

    def process(self, called: Invocation) -> None:
        """Ask the executor about every event still in play, once."""
        if not len(called.inputs.rows):
            return
        called.form, called.began = self._form(called), self._clock.monotonic()
        called.failures = self._attempt(called.form, None, self._is_retryable if self._retries else never)

    def retry(self, called: Invocation, limit: Deadline | None) -> Steps[None]:
        """Ask again about those that failed for a passing reason; nothing waits beyond the policy, or `limit`."""
        form = called.form
        if form is None or not called.failures:
            return

        def attempt(chosen: Chosen, retryable: IsRetryable) -> Failures:
            return self._attempt(form, chosen, retryable)

        policy = self._bound.retry
        deadline = Deadline(self._clock, called.began + policy.deadline_seconds).within(limit)
        given_up = yield from retry_failed(called.failures, attempt, self._is_retryable, policy, deadline)
        rows = called.inputs.rows
        called.rejects += self._rejected("process", ((int(rows[i]), each) for i, each in given_up.items()))

    @property
    def _retries(self) -> bool:
        return self._bound.retry.attempts > 1

    def _attempt(self, form: RowForm | ColumnForm, chosen: Chosen | None, retryable: IsRetryable) -> Failures:
        with self._interrupts, self._guard:
            return form.attempt(chosen, retryable)

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
        keep: list[int] = []
        failures: dict[int, GivenUp] = {}
        with self._interrupts, self._guard:
            for place, event in enumerate(inputs.events):
                try:
                    if self._executor.accepts(event):
                        keep.append(place)
                except BaseException as error:  # noqa: BLE001
                    failures[int(inputs.rows[place])] = GivenUp(as_exception(error), 1)
        rejects += self._rejected("accept", failures.items())
        return inputs if len(keep) == len(inputs.rows) else inputs.take(np.asarray(keep, np.int64))

    def _keys_of_methods(self, steps: Sequence[EnrichmentStep], called: Invocation) -> dict[str, pa.Array]:
        """Return the keys that methods of the executor give; the events on which one fails are rejected."""
        columns: dict[str, pa.Array] = {}
        for step in steps:
            with self._interrupts, self._guard:
                column, failures = keys_by_method(self._executor, step.key, called.inputs)
            columns[step.name] = column
            if failures:
                rows = called.inputs.rows
                called.rejects += self._rejected(
                    "enrich", ((int(rows[place]), GivenUp(error, 1)) for place, error in failures.items())
                )
                keep = np.setdiff1d(np.arange(len(rows)), np.fromiter(failures, np.int64))
                called.keep(keep)
                columns = {name: each.take(pa.array(keep)) for name, each in columns.items()}
        return columns

    def _inner(self, called: Invocation, name: str, field_name: str) -> pa.Array:
        return self._steps[name].columns(called.facts[name]).column(field_name)

    def _without_facts(self, step: EnrichmentStep, called: Invocation) -> None:
        missing = step.enrichment.missing
        if missing == "null" or not (absent := called.facts[step.name].absent()):
            return
        if missing == "reject":
            for place, state in absent.items():
                error = self._absent_text(step, called.facts[step.name], place, state)
                index = int(called.inputs.rows[place])
                reason = f"enrichment_{state}"
                called.rejects.append(Reject(index, "enrich", reason, error, self._declaration.event_type))
        called.keep(np.setdiff1d(np.arange(len(called.inputs.rows)), np.fromiter(absent, np.int64)))

    def _absent_text(self, step: EnrichmentStep, fact: Enriched, place: int, state: FactState) -> str:
        """Return what a reject says of a fact that is not there, with the key that has none."""
        keys = [] if state == "null_key" else fact.keys_in_state(place, state)
        named = (
            ", ".join(bounded(self._conceal(shown(key, MOST_CHARACTERS)), UNTRUSTED_CHARACTERS) for key in keys)
            or "the event's key"
        )
        return f"enrichment {step.name}: {_ABSENT_TEXT[state].format(lookup=step.enrichment.lookup, key=named)}"

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
            facts = [self._steps[name].structs(work.facts[name]) for name in self._declaration.parameters]
            return RowForm(self._executor, work.inputs, facts)
        columns = {name: step.columns(work.facts[name]) for name, step in self._steps.items()}
        return ColumnForm(self._executor, work.inputs, columns)

    def _rejected(self, stage: str, failures: Iterable[tuple[int, GivenUp]]) -> list[Reject]:
        """Return the rejects of what the author's code raised, each with its place in that code."""
        name, rejects, errors = self._declaration.event_type, list[Reject](), list[Exception]()
        for index, failure in failures:
            error = failure.error
            reason = "impure" if issubclass(type(error), ImpureError) else class_name(error)
            line = self._lines.of(error)
            rejects.append(Reject(index, stage, reason, raised(error), name, failure.attempts, line))
            errors.append(error)
        for error in errors:  # not before: inputs may share an error
            forget_place(error)
        return rejects

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


_ABSENT_TEXT: Final[Mapping[FactState, str]] = {
    "missing": "{lookup} has no row for {key}",
    "null_key": "the event's key is null",
    "unavailable": "{lookup} was unavailable for {key}",
}


def _enrichment_texts(facts: Mapping[str, Enriched], length: int) -> pa.Array | None:
    """Return what was no plain hit as JSON, one text an event; None where all were hits."""
    states = states_of(facts)
    if not states:
        return None
    texts: npt.NDArray[np.object_] = np.full(length, None, object)
    for place, state in states.items():
        texts[place] = msgspec.json.encode(state).decode()
    return pa.array(texts, pa.string())


def states_of(facts: Mapping[str, Enriched]) -> dict[int, dict[str, FactState]]:
    """Return the states of facts that were no plain hit, by event and enrichment."""
    states: dict[int, dict[str, FactState]] = {}
    for name, fact in facts.items():
        for place, state in fact.states_of_events().items():
            states.setdefault(place, {})[name] = state
    return states


def _stages(declaration: Declaration) -> list[list[str]]:
    """Return the enrichments that can be fetched together, those that others need first, each as it is declared."""
    depth: dict[str, int] = {}
    for name, key in declaration.keys.items():
        depth[name] = 1 + max((depth[source] for source in key.sources), default=-1)
    order = sorted(declaration.enrichments, key=depth.__getitem__)
    return [[name for name in order if depth[name] == level] for level in sorted(set(depth.values()))]
