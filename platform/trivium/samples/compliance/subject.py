"""The executor under test: its class, options and artifacts, and the events it is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from trivium.config.worker_spec import BoundExecutor, RoutingSpec, WorkerSpec, spec_of
from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.fetch import Facts as LookupFacts
from trivium.samples.edge_cases import examples, lookup_rows, records
from trivium.samples.facts import FactKey, Facts
from trivium.samples.file import Sample, own, read_samples
from trivium.samples.harness import Case, Trial
from trivium.samples.stages import keys_of, known_answer

Event = bytes | str | Mapping[str, Any]
Samples = str | Path | Iterable[Event]
_FEW: Final = 8


@dataclass(frozen=True)
class Subject:
    """An executor under test, for one of its event types. `artifacts` maps names to absolute local paths."""

    cls: type[Executor[Any, Any]]
    event_type: str
    options: ExecutorOptions
    artifacts: Mapping[str, str] = field(default_factory=dict)
    routing: RoutingSpec = field(default_factory=RoutingSpec)

    @property
    def declaration(self) -> Declaration:
        """The declaration of the class, for this event type."""
        return self.cls.declaration.of_type(self.event_type)

    @property
    def file(self) -> Path:
        """The file that defines it."""
        return Path(self.cls.declaration.file)

    @property
    def name(self) -> str:
        """The name that messages use."""
        return f"{self.cls.__qualname__} ({_relative(self.file)}:{self.cls.declaration.line})"

    @property
    def root(self) -> Path:
        """The folder its module is imported from, as far as that is known."""
        above = self.cls.__module__.split(".")
        expected = self.file.resolve().with_suffix("").parts[-len(above) :]
        return self.file.resolve().parents[len(above) - 1] if list(expected) == above else self.file.resolve().parent

    def spec(self) -> WorkerSpec:
        """Return the specification of a worker of this executor and event type alone."""
        return spec_of([self.cls], {self.event_type: self.options}, self.routing).of_type(self.event_type)

    def bound(self) -> BoundExecutor:
        """Return the executor as pipelines hold it."""
        return replace(self.spec().executors[self.event_type], artifacts=dict(self.artifacts))

    def trial(self, bound: BoundExecutor | None = None) -> Trial:
        """Return a new worker that asks a new instance."""
        return Trial(self.spec(), bound or self.bound())


def sample_cases(subject: Subject, file: Path) -> tuple[list[Sample], list[Case]]:
    """Return the samples of a file, with the facts written beside them.

    Left out are lines that are no samples, which `trivium check` names, and samples with options of their own.
    """
    samples = own(read_samples(file)[0], subject.declaration, subject.routing.tag_field)
    written = [sample for sample in samples if sample.options is None]
    try:
        reader = subject.trial().reader()
    except Exception:  # noqa: BLE001 - one that does not open is a breach, which running the cases finds
        return written, [Case(sample.event) for sample in written]
    found, cases = [], []
    for sample in written:
        try:
            cases.append(Case(sample.event, reader.read(sample)))
            found.append(sample)
        except ValueError:
            continue
    return found, cases


def given_cases(subject: Subject, events: Iterable[Event]) -> list[Case]:
    """Return events somebody wrote down, each with facts made up."""
    written = [
        event if isinstance(event, bytes) else event.encode() if isinstance(event, str) else json.dumps(event).encode()
        for event in events
    ]
    return _with_facts(subject, written)


def made_cases(subject: Subject, count: int) -> list[Case]:
    """Return events made up from the declared types, with facts."""
    return _with_facts(subject, examples(records(subject.declaration, subject.routing.tag_field), count))


def _with_facts(subject: Subject, events: Sequence[bytes]) -> list[Case]:
    lookups = subject.spec().lookups
    known = {name: examples(lookup_rows(lookup), _FEW) for name, lookup in lookups.items()}
    trial = subject.trial() if known else None
    return [Case(event, _facts(trial, event, known) if trial else {}) for event in events]


def _facts(trial: Trial, event: bytes, known: Mapping[str, Sequence[Any]]) -> Facts:
    """Return what lookups know of this event's keys: of a key always the same."""
    facts: Facts = {}

    def answer(questions: Sequence[KeyQuestion]) -> list[LookupFacts]:
        for question in questions:
            for key in keys_of(question):
                facts.setdefault(key, _chosen(key, known[key.lookup]))
        return [known_answer(question, facts) for question in questions]

    trial.ask_stages(Case(event), answer)
    return facts


def _chosen(key: FactKey, rows: Sequence[Any]) -> Any:
    text = repr(key.key if key.time is None else (key.key, key.time))
    return rows[sha256(text.encode()).digest()[0] % len(rows)] if rows else None


def _relative(file: Path) -> Path:
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
