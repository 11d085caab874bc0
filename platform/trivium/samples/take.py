"""Samples taken from a pipeline's source, with the facts that its lookups answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.contract.declaration import Declaration
from trivium.core.clock import Clock
from trivium.core.regular_file import read_regular
from trivium.core.suggest import one_of
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.fetch import Facts
from trivium.engine.worker import Worker
from trivium.operations.errors import ArgumentError
from trivium.samples.check import FILE, with_default_options
from trivium.samples.file import MOST_BYTES, append_samples, read_samples
from trivium.samples.json_text import json_object
from trivium.samples.real_facts import RealLookups, unanswered
from trivium.samples.source_events import source_events
from trivium.samples.stages import ask_stages

SampleFacts = Mapping[str, Any]


@dataclass(frozen=True)
class TakeSpec:
    """Choice of samples: `count` events of the batch source, or those of a `file` of JSON lines; with their facts."""

    count: int = 5
    file: Path | None = None
    facts: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Taken:
    """Samples that were appended to a file; `known` were there already.

    `refused` says why others were not: a fact that a lookup did not answer, with its lookup and key.
    """

    file: Path
    samples: int
    known: int = 0
    refused: Sequence[str] = ()


def take_samples(pipeline: Pipeline, event_type: str, wanted: TakeSpec, clock: Clock) -> Taken:
    """Append events of one type to its samples, without outcomes, which `trivium check --update` writes.

    Facts are those of the keys that the executor has under its default options, as samples are read.

    Raises:
        ArgumentError: the pipeline has no such type, or there is no event of it to take.
        SourceError: the source or the file cannot be read.
        RunError: a lookup cannot be opened as declared, or gave no usable answer.
    """
    bound = pipeline.executors.get(event_type)
    if bound is None:
        near = one_of(event_type, pipeline.executors)
        raise ArgumentError(f"expected an event type of the pipeline, got {event_type} ({near})")
    file = pipeline.root / Path(bound.declaration.file).parent / FILE
    spec = replace(pipeline.worker_spec, executors={event_type: with_default_options(bound)})
    taking = _Taking(Worker(spec, clock), event_type)
    events = taking.own(_lines(wanted.file) if wanted.file else _of_source(pipeline, event_type, wanted))
    if not events:
        where = str(wanted.file or "batch.source")
        raise ArgumentError(f"expected events of type {event_type} in {where}, found none. Try: --input FILE")
    known = {sample.event for sample in read_samples(file)[0]} if file.is_file() else set()
    fresh = [each for each in events if each not in known]
    if wanted.facts:
        names = {each.lookup for each in bound.declaration.enrichments.values()}
        with RealLookups(pipeline, sorted(names), clock) as lookups:
            found = [taking.facts(event, lookups) for event in fresh]
    else:
        found = [({}, []) for _ in fresh]
    good = [_line(event, facts) for event, (facts, without) in zip(fresh, found, strict=True) if not without]
    append_samples(file, good)
    refused = [text for _, without in found for text in without]
    return Taken(file, len(good), len(events) - len(fresh), tuple(dict.fromkeys(refused)))


def _lines(file: Path) -> list[bytes]:
    return [line for line in read_regular(file, MOST_BYTES).splitlines() if line.strip()]


def _one_line(event: bytes) -> bytes:
    return msgspec.json.format(event, indent=0) if b"\n" in event.strip() else event.strip()


def _line(event: bytes, facts: SampleFacts) -> bytes:
    parts: dict[str, Any] = {"event": msgspec.Raw(event)}
    return msgspec.json.encode(parts | ({"enrichments": facts} if facts else {}))


def _of_source(pipeline: Pipeline, event_type: str, wanted: TakeSpec) -> list[bytes]:
    return source_events(pipeline, [event_type], wanted.count, wanted.seed)[event_type]


@dataclass
class _Answers:
    """The facts of one event as JSON, by enrichment, and the keys that no lookup answered."""

    declaration: Declaration
    lookups: RealLookups
    facts: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def answer(self, questions: Sequence[KeyQuestion]) -> list[Facts]:
        """Ask the lookups, and keep what they say."""
        answers = self.lookups.answer(questions)
        for question, facts in zip(questions, answers, strict=True):
            why = f": {facts.error}" if facts.error else ""
            self.refused += [f"{key} stayed unavailable{why}" for key in unanswered(question, facts)]
            if len(question.keys) or question.wanted.offsets is not None:
                self.facts[question.step.name] = self._fact(question, facts)
        return answers

    def _fact(self, question: KeyQuestion, facts: Facts) -> Any:
        """Return the answer as JSON: a row, null, or a list of them; no default stands in."""
        step, fields = question.step, self.declaration.enrichment_fields[question.step.name]
        found = replace(question.enriched(facts if len(question.keys) else None), defaulted=False)
        (fact,) = step.structs(found)
        if isinstance(fact, tuple):
            return [None if each is None else json_object(each, fields) for each in fact]
        return None if fact is None else json_object(fact, fields)


class _Taking:
    """Takes events of one type and their facts, as the worker of the pipeline sees them."""

    def __init__(self, worker: Worker, event_type: str) -> None:
        self._worker, self._event_type = worker, event_type
        self._by_name = worker.spec.routing.tag_field is None

    def own(self, events: Sequence[bytes]) -> list[bytes]:
        """Return the events that are of the type, each once, and on one line."""
        distinct = list(dict.fromkeys(map(_one_line, events)))
        types = [self._event_type] * len(distinct) if self._by_name else None
        rows, _ = self._worker.decoder.decode(distinct, types).events.get(self._event_type, ([], []))
        return [distinct[row] for row in rows]

    def facts(self, event: bytes, lookups: RealLookups) -> tuple[SampleFacts, list[str]]:
        """Return the facts beside an event, and what was not answered."""
        types = [self._event_type] if self._by_name else None
        _, events = self._worker.decoder.decode([event], types).events[self._event_type]
        answers = _Answers(self._worker.spec.executors[self._event_type].declaration, lookups)
        ask_stages(self._worker.types[self._event_type], events, answers.answer)
        return answers.facts, answers.refused
