"""The checks that need no other process: the same events run in other ways must come to the same outcomes."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trivium.analysis.purity.check import impurities
from trivium.config.worker_spec import BoundExecutor
from trivium.contract.executor import Executor
from trivium.core.errors import RunError
from trivium.samples.compliance.breach import Breach, same, shown_apart, text_of
from trivium.samples.compliance.subject import Subject
from trivium.samples.compliance.watching import watched
from trivium.samples.file import Outcome
from trivium.samples.harness import Case, Trial

_SIZES: Final = (1, 2, 7)
_WRONG_TYPE: Final = (": not a ", "a time without its zone", "a value is required, got null")
_NEIGHBOURS: Final = "rows depend on their neighbours; the engine splits and repeats batches as it likes"
_STATE: Final = "the executor keeps state between events: on itself, on its class or in a module"
_RANDOM: Final = "randomness, the clock, or state of a module; two new executors in one process disagree"

Answers = Sequence[Outcome | None]


@dataclass(frozen=True)
class Baseline:
    """A subject, its cases, and the outcomes of the first run, all in one batch."""

    subject: Subject
    cases: Sequence[Case]
    first: Sequence[Outcome]


def _own_words(error: BaseException) -> str:
    """Return what the author's code raised, without the engine's sentence around it."""
    own = error.__cause__ if isinstance(error, RunError) and error.__cause__ else error
    return f"{type(own).__name__}: {own}"


def compare(subject: Subject, cases: Sequence[Case]) -> list[Breach]:
    """Return what a group of cases, whose facts agree, shows in this process. At most one breach a check."""
    try:
        trial = subject.trial()
    except Exception as error:  # noqa: BLE001 - an author's constructor and `open` may raise anything
        cause = "it does not open: see its constructor, open(), and the artifacts it is given"
        return [breach(subject, "opening", None, (("error", _own_words(error)),), cause)]
    baseline = Baseline(subject, cases, trial.ask(cases))
    breaches = [*_wrong_types(baseline), *_changed_inputs(baseline)]
    repeated = [*_differing(baseline, "asked twice", "the second time", trial.ask(cases), _cause_of_repeat(baseline))]
    if repeated:
        return [*breaches, *repeated]
    return [*breaches, *_other_ways(baseline)]


def _other_ways(baseline: Baseline) -> Iterator[Breach]:
    subject, cases = baseline.subject, baseline.cases
    for size in _SIZES:
        answers = _in_chunks(subject.trial(), cases, size)
        yield from _differing(baseline, "any size of batch", f"in batches of {size}", answers, _NEIGHBOURS)
    order = list(range(len(cases)))
    random.Random(0).shuffle(order)
    shuffled = dict(zip(order, subject.trial().ask([cases[place] for place in order]), strict=True))
    answers = [shuffled[place] for place in range(len(cases))]
    yield from _differing(baseline, "any order", "in another order", answers, _NEIGHBOURS)
    doubled = subject.trial().ask([case for case in cases for _ in range(2)])
    yield from _differing(baseline, "duplicates", "as the second of two", doubled[1::2], _NEIGHBOURS)
    if subject.routing.tag_field:
        cause = "the executor tells apart values that are equal, such as a list and a tuple, or two times in UTC"
        columns = subject.trial().ask_columns(cases)
        yield from _differing(baseline, "JSON and typed columns", "from typed columns", columns, cause)
    yield from _pickled(baseline)


def _in_chunks(trial: Trial, cases: Sequence[Case], size: int) -> list[Outcome]:
    chunks = (cases[start : start + size] for start in range(0, len(cases), size))
    return [outcome for chunk in chunks for outcome in trial.ask(chunk)]


def _differing(baseline: Baseline, check: str, how: str, answers: Answers, cause: str) -> Iterator[Breach]:
    """Yield the first case whose answer is another one now; None says that it was not run."""
    for case, first, answer in zip(baseline.cases, baseline.first, answers, strict=True):
        if answer is not None and not same(first, answer):
            one, other = shown_apart(first, answer)
            yield breach(baseline.subject, check, case, (("first", one), (how, other)), cause)
            return


def breach(subject: Subject, check: str, case: Case | None, answers: tuple[tuple[str, str], ...], cause: str) -> Breach:
    """Return a breach with what the sources of the executor say about it."""
    hints = tuple(str(each) for each in impurities(subject.cls, subject.root)[:3])
    return Breach(check, subject.name, text_of(case.event) if case else "none", answers, cause, hints)


def _cause_of_repeat(baseline: Baseline) -> str:
    again = baseline.subject.trial().ask(baseline.cases)
    return _STATE if all(map(same, baseline.first, again)) else _RANDOM


def _wrong_types(baseline: Baseline) -> Iterator[Breach]:
    for case, outcome in zip(baseline.cases, baseline.first, strict=True):
        wrong = outcome.rejected == "invalid_row" and any(each in outcome.note for each in _WRONG_TYPE)
        if wrong or outcome.rejected == "ContractError":
            answers = (("declared", _declared(baseline.subject)), ("returned", outcome.note))
            cause = "for some events the executor returns another type than it declares"
            yield breach(baseline.subject, "returned types", case, answers, cause)
            return


def _declared(subject: Subject) -> str:
    declaration = subject.declaration
    fields = ", ".join(f"{spec.name}: {spec.arrow.type}" for spec in declaration.row_specs)
    return f"{declaration.row.__name__}({fields})"


def _changed_inputs(baseline: Baseline) -> Iterator[Breach]:
    bound = watched(baseline.subject.bound())
    trial = baseline.subject.trial(bound)
    for case in baseline.cases:
        trial.ask([case])
        if bound.changes:
            before, after = bound.changes[0]
            cause = "the executor changes an event, a fact or its options in place; the next event sees the change"
            yield breach(
                baseline.subject, "inputs stay as they are", case, (("before", before), ("after", after)), cause
            )
            return


@dataclass(frozen=True)
class _Carried(BoundExecutor):
    """Executors that were pickled and came back."""

    def create(self) -> Executor[Any, Any]:
        """Return a new instance, by way of pickle."""
        carried: Executor[Any, Any] = pickle.loads(pickle.dumps(super().create()))
        return carried


def _pickled(baseline: Baseline) -> Iterator[Breach]:
    bound = baseline.subject.bound()
    carried = _Carried(bound.event_type, bound.cls, bound.options, bound.retry, bound.artifacts, bound.version)
    try:
        trial = baseline.subject.trial(carried)
    except RunError as error:
        cause = "it is no class of a module's own level, or __init__ makes what cannot be pickled; make that in open()"
        yield breach(baseline.subject, "pickling", None, (("error", _own_words(error)),), cause)
        return
    cause = "__init__ makes something that does not survive pickling; make it in open()"
    yield from _differing(baseline, "pickling", "after pickling", trial.ask(baseline.cases), cause)
