"""The comparison: who agrees with whom, on what, and how much was tried at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.operations.parity.inputs import Input
from trivium.operations.parity.seen import Seen

_SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """An input that a road made something else of than the first road did."""

    input: Input
    road: str
    expected: Seen
    got: Seen


@dataclass(frozen=True)
class Standing:
    """How a road stands to the first one: inputs it agrees on, differs on, and has no way to take."""

    road: str
    equal: int
    differs: int
    untaken: int


@dataclass(frozen=True)
class Coverage:
    """What was tried: outcomes by event type, rejects by stage and reason, and what was never tried (`thin`)."""

    outcomes: Mapping[tuple[str, str], int]
    rejects: Mapping[tuple[str, str], int]
    thin: Sequence[str]


@dataclass(frozen=True)
class ParityReport:
    """The result. `differences` are the first ones; `logic` and `plan` are the pipeline's hashes."""

    pipeline: str
    logic: str
    plan: str
    executors: Mapping[str, str]
    inputs: int
    standings: Sequence[Standing]
    differences: Sequence[Difference]
    coverage: Coverage
    again: str

    @property
    def holds(self) -> bool:
        """Whether all roads agree."""
        return not any(each.differs for each in self.standings)

    @property
    def verdict(self) -> str:
        """In one sentence."""
        roads = ", ".join(each.road for each in self.standings if each.equal + each.differs)
        if self.holds:
            return f"Parity holds: {roads} made the same of {self.inputs:,} inputs."
        worst = max(each.differs for each in self.standings)
        return f"PARITY IS BROKEN: of {self.inputs:,} inputs, {roads} disagree on {worst:,}."


def compare(
    pipeline: Pipeline, inputs: Sequence[Input], found: Mapping[str, Sequence[Seen | None]], again: str
) -> ParityReport:
    """Hold every road to the first one. `again` is the command that repeats it."""
    first, *_ = found
    standings, differences = [], []
    for road, seen in found.items():
        pairs = list(zip(inputs, found[first], seen, strict=True))
        differing = [Difference(each, road, one, other) for each, one, other in pairs if one and other and one != other]
        untaken = sum(other is None for other in seen)
        standings.append(Standing(road, len(inputs) - untaken - len(differing), len(differing), untaken))
        differences += differing[:_SHOWN]
    return ParityReport(
        pipeline=pipeline.name,
        logic=pipeline.plan.logic,
        plan=pipeline.plan.plan,
        executors={name: bound.version for name, bound in pipeline.executors.items()},
        inputs=len(inputs),
        standings=standings,
        differences=differences[:_SHOWN],
        coverage=coverage(pipeline, inputs, [each for each in found[first] if each is not None]),
        again=again,
    )


def coverage(pipeline: Pipeline, inputs: Sequence[Input], seen: Sequence[Seen]) -> Coverage:
    """What was tried, by what the first road made of it and by what the records hold."""
    outcomes: Counter[tuple[str, str]] = Counter((each.event_type or "", each.outcome) for each in seen)
    rejects = Counter((each.stage or "", each.reason or "") for each in seen if each.outcome == "rejected")
    thin = [f"no event of {name} became a row" for name in pipeline.executors if not outcomes[name, "emitted"]]
    thin += [] if rejects else ["no input was rejected"]
    return Coverage(outcomes, rejects, [*thin, *_untried_fields(pipeline, inputs)])


def _untried_fields(pipeline: Pipeline, inputs: Sequence[Input]) -> list[str]:
    """Declared fields that never held a value, or never were null though they may be."""
    held: Counter[tuple[str, str, bool]] = Counter()
    for each in inputs:
        try:
            record = msgspec.json.decode(each.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        name = record.get(pipeline.config.routing.field) if isinstance(record, dict) else None
        bound = pipeline.executors.get(name) if isinstance(name, str) else None
        for spec in bound.declaration.event_fields if bound else ():
            held[str(name), spec.wire, record.get(spec.wire) is None] += 1
    untried = []
    for name, bound in pipeline.executors.items():
        for spec in bound.declaration.event_fields:
            if not held[name, spec.wire, False]:
                untried.append(f"{name}.{spec.wire} never held a value")
            if spec.nullable and not held[name, spec.wire, True]:
                untried.append(f"{name}.{spec.wire} never was null")
    return untried
