"""Hits of a pipeline's lookups on keys of its own batch source."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock
from trivium.core.errors import TriviumError
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.fetch import Facts
from trivium.engine.worker import Worker
from trivium.operations.surroundings import Missing, Surroundings
from trivium.samples.real_facts import RealLookups, unanswered
from trivium.samples.source_events import source_events
from trivium.samples.stages import ask_stages

_EVENTS: Final = 200


@dataclass
class Hits:
    """Keys that a lookup got, and how many of them have a row, or no answer."""

    keys: int = 0
    found: int = 0
    unanswered: int = 0

    def __str__(self) -> str:
        text = f"{self.found:,} of {self.keys:,} keys of the source have a row"
        return text + (f", {self.unanswered:,} stayed unavailable" if self.unanswered else "")


def add_hits(pipeline: Pipeline, found: Surroundings, clock: Clock) -> None:
    """Add to the lookups that were found how many keys of the batch source they know.

    That an executor does not open, or that a lookup gives no usable answer, is something a run would not find.
    """
    lookups = [name for name in pipeline.lookups if f"lookups.{name}" in found.found]
    if "batch.source" not in found.found or not lookups:
        return
    try:
        for name, hits in source_hits(pipeline, lookups, clock).items():
            found.found[f"lookups.{name}"] += f"; {hits}"
    except TriviumError as error:
        found.missing.append(Missing("lookups", str(error)))


def source_hits(pipeline: Pipeline, lookups: Collection[str], clock: Clock) -> dict[str, Hits]:
    """Return the hits of these lookups on the keys of some 200 events of each type; none without a batch source.

    Raises:
        TriviumError: the source cannot be read, or an executor or a lookup does not open or answer.
    """
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    types = [name for name, each in declarations.items() if each.enrichments]
    events = source_events(pipeline, types, _EVENTS)
    types = [name for name in types if events.get(name)]
    hits = {name: Hits() for name in lookups}
    if not types:
        return {}
    worker = Worker(pipeline.of_types(types).worker_spec, clock)
    with RealLookups(pipeline, lookups, clock) as opened:

        def answer(questions: Sequence[KeyQuestion]) -> list[Facts]:
            answers = opened.answer(questions)
            for question, facts in zip(questions, answers, strict=True):
                if (found := hits.get(question.step.lookup.name)) is not None:
                    found.keys += len(question.keys)
                    found.found += len(question.keys) - facts.index.null_count
                    found.unanswered += len(unanswered(question, facts))
            return answers

        for name in types:
            named = None if worker.spec.routing.tag_field else [name] * len(events[name])
            _, decoded = worker.decoder.decode(events[name], named).events.get(name, ([], []))
            ask_stages(worker.types[name], decoded, answer)
    return {name: each for name, each in hits.items() if each.keys}
