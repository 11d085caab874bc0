"""Golden samples: each event of `samples.jsonl` through the real worker, alone and among the others.

Options are the executor's defaults (the pipeline's where there is no default), so that samples say the same whichever
pipeline file runs them. Nothing is retried and nothing waits: samples have no weather.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trivium.config.worker_spec import BoundExecutor, WorkerSpec
from trivium.samples.fact_reader import FactReader
from trivium.samples.facts import FactKey, Facts, together
from trivium.samples.file import Outcome, Sample, SampleError, own, read_samples, write_outcomes
from trivium.samples.harness import Case, Trial, plain_row
from trivium.samples.values import differences, unknown_columns

FILE = "samples.jsonl"


@dataclass(frozen=True)
class TypeCheck:
    """The samples of one event type: how many, and what is wrong (`file:line: …`).

    `updated` lists the lines that were written, `changes` what changed in them (`file:line: path: old → new`).
    """

    event_type: str
    file: Path
    samples: int
    problems: tuple[str, ...] = ()
    updated: tuple[int, ...] = ()
    changes: tuple[str, ...] = ()


def check_samples(spec: WorkerSpec) -> list[TypeCheck]:
    """Return every event type's samples against what the worker makes of them."""
    return [_Check(spec, bound).compare() for bound in spec.executors.values()]


def update_samples(spec: WorkerSpec) -> list[TypeCheck]:
    """Check as `check_samples` does, and write outcomes that differ into the files; events and facts stay."""
    return [_Check(spec, bound).update() for bound in spec.executors.values()]


@dataclass(frozen=True)
class _Ran:
    sample: Sample
    alone: Outcome
    among_others: Outcome
    unanswered: Sequence[FactKey]

    @property
    def stable(self) -> bool:
        return (self.alone.rows, self.alone.rejected) == (self.among_others.rows, self.among_others.rejected)

    @property
    def foreign(self) -> bool:
        """True for an event of another type: dropped, but not by this executor."""
        return self.alone.rejected is None and bool(self.alone.note)

    @property
    def settled(self) -> bool:
        """True where there is an outcome that can be written down."""
        return self.stable and not self.foreign and not self.unanswered


class _Check:
    """The samples of one executor."""

    def __init__(self, spec: WorkerSpec, bound: BoundExecutor) -> None:
        self._declaration = bound.declaration
        self._file = Path(self._declaration.file).parent / FILE
        self._spec, self._bound = spec, with_default_options(bound)
        self._shown = _relative(self._file)
        self._schema = self._declaration.row_schema
        self._stated: dict[int, set[FactKey]] = {}

    def compare(self) -> TypeCheck:
        ran, problems = self._run()
        for each in ran:
            problems += self._differences(each)
        return self._result(len(ran), problems)

    def update(self) -> TypeCheck:
        ran, problems = self._run()
        differing = [each for each in ran if self._differences(each)]
        problems += [text for each in differing if not each.settled for text in self._unsettled(each)]
        changed = {each.sample.line: each.alone for each in differing if each.settled}
        if changed:
            write_outcomes(self._file, changed)
        changes = [text for each in differing if each.settled for text in self._changes(each)]
        return replace(self._result(len(ran), problems), updated=tuple(changed), changes=tuple(changes))

    def _result(self, samples: int, problems: list[str]) -> TypeCheck:
        return TypeCheck(self._bound.event_type, self._file, samples, tuple(problems))

    def _run(self) -> tuple[list[_Ran], list[str]]:
        if not self._file.is_file():
            return [], []
        found, errors = read_samples(self._file)
        by_options: dict[bytes | None, list[Sample]] = {}
        for sample in own(found, self._declaration, self._spec.routing.tag_field):
            by_options.setdefault(sample.options, []).append(sample)
        ran: list[_Ran] = []
        opening: list[str] = []
        for options, samples in by_options.items():
            try:
                ran += self._ran(samples, _with_options(self._bound, options), errors)
            except ValidationError as error:
                errors += [SampleError(each.line, f"options: {error.errors()[0]['msg']}") for each in samples]
            except Exception as error:  # noqa: BLE001 - an author's `open` may raise anything
                ran, opening = [], [f"{self._shown}: the executor does not open: {type(error).__name__}: {error}"]
                break
        problems = [f"{self._shown}:{error}" for error in sorted(errors, key=lambda each: each.line)]
        return sorted(ran, key=lambda each: each.sample.line), problems + opening

    def _ran(self, given: Sequence[Sample], bound: BoundExecutor, errors: list[SampleError]) -> list[_Ran]:
        """Run samples of the same options; those whose facts cannot be read are errors."""
        trial = Trial(self._spec, bound)
        samples, facts = self._read(given, trial.reader(), errors)
        cases = [Case(sample.event, known) for sample, known in zip(samples, facts, strict=True)]
        alone = [(trial.ask([case])[0], trial.missed()) for case in cases]
        among: dict[int, Outcome] = {}
        for group in together(facts):
            among |= zip(group, trial.ask([cases[index] for index in group]), strict=True)
        return [
            _Ran(sample, outcome, among[at], [each for each in missed if each not in self._stated[sample.line]])
            for at, (sample, (outcome, missed)) in enumerate(zip(samples, alone, strict=True))
        ]

    def _read(
        self, given: Sequence[Sample], reader: FactReader, errors: list[SampleError]
    ) -> tuple[list[Sample], list[Facts]]:
        samples, facts = [], []
        for sample in given:
            try:
                known, self._stated[sample.line] = reader.read_stated(sample)
            except SampleError as error:
                errors.append(error)
            else:
                samples.append(sample)
                facts.append(known)
        return samples, facts

    def _differences(self, ran: _Ran) -> list[str]:
        place = f"{self._shown}:{ran.sample.line}"
        if not ran.stable:
            message = f"alone {_shown(ran.alone)}, among the other samples {_shown(ran.among_others)}"
            return [f"{place}: {message}: rows may not depend on their neighbours"]
        expected, got = ran.sample.expected, ran.alone
        if ran.foreign:
            return [f"{place}: {got.note}, so it is no sample of this executor"]
        if expected is None:
            return [f"{place}: no outcome is written (got {_shown(got)}); trivium check --update writes it"]
        if (len(expected.rows), expected.rejected) != (len(got.rows), got.rejected):
            return [f"{place}: expected {expected.kind}, got {_shown(got)}"]
        unknown = [f"{place}: {text}" for text in self._unknown_columns(expected)]
        return unknown + [f"{place}: {path}: expected {a}, got {b}" for path, a, b in self._row_differences(ran)]

    def _unsettled(self, ran: _Ran) -> list[str]:
        """Return why no outcome is written: an outcome of a fact that nobody gave would look like a checked one."""
        if not ran.unanswered:
            return self._differences(ran)
        place = f"{self._shown}:{ran.sample.line}"
        wanted = ", ".join(map(str, ran.unanswered))
        message = f"asked for {wanted}, which the sample does not answer, so no outcome is written"
        return [f'{place}: {message}. Try: "enrichments": {{"NAME": {{…}} or null}}']

    def _changes(self, ran: _Ran) -> list[str]:
        """Return what an update writes, as old → new."""
        place = f"{self._shown}:{ran.sample.line}"
        expected, got = ran.sample.expected, ran.alone
        if expected is None or (len(expected.rows), expected.rejected) != (len(got.rows), got.rejected):
            return [f"{place}: {expected.kind if expected else 'no outcome'} → {_shown(got)}"]
        gone = [f"{place}: {text}; removed" for text in self._unknown_columns(expected)]
        return gone + [f"{place}: {path}: {a} → {b}" for path, a, b in self._row_differences(ran)]

    def _unknown_columns(self, expected: Outcome) -> list[str]:
        numbered = enumerate(expected.rows)
        return [f"rows[{number}]: {text}" for number, row in numbered for text in unknown_columns(row, self._schema)]

    def _row_differences(self, ran: _Ran) -> Iterator[tuple[str, str, str]]:
        """Path, expected and got of each value that differs, as JSON."""
        expected = ran.sample.expected.rows if ran.sample.expected else ()
        for number, (left, right) in enumerate(zip(expected, ran.alone.rows, strict=True)):
            known = {name: each for name, each in left.items() if name in self._schema.names}
            for path, wanted, came in differences(plain_row(known, self._declaration), right, f"rows[{number}]"):
                yield path, _json(wanted), _json(came)


def _with_options(bound: BoundExecutor, options: bytes | None) -> BoundExecutor:
    """Return the executor with a sample's own options."""
    return bound if options is None else replace(bound, options=bound.cls.Options.model_validate_json(options))


def with_default_options(bound: BoundExecutor) -> BoundExecutor:
    """Return the executor with its defaults, or with the pipeline's options where there is no default."""
    try:
        return replace(bound, options=bound.cls.Options())
    except ValidationError:
        return bound


def _shown(outcome: Outcome) -> str:
    return f"{outcome.kind} ({outcome.note})" if outcome.note else outcome.kind


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _relative(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
