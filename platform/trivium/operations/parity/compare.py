"""The comparison: who agrees with whom, on what, and how much was tried at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from trivium.config.pipeline import Pipeline
from trivium.operations.parity.coverage import Coverage, Tried
from trivium.operations.parity.inputs import Input
from trivium.operations.parity.seen import DROPPED, Seen

_SHOWN = 10
Kind = Literal["equal", "differs", "missing", "extra", "untaken"]


@dataclass(frozen=True)
class Difference:
    """An input that a road made something else of than the first road did."""

    input: Input
    road: str
    kind: Kind
    expected: Seen
    got: Seen


@dataclass(frozen=True)
class Standing:
    """How a road stands to the first one, in inputs.

    It made the same of them; made something else; left no row and no reject where the first road did (`missing`);
    left one where the first road did not (`extra`); has no way to take them.
    """

    road: str
    equal: int
    differs: int
    missing: int
    extra: int
    untaken: int

    @property
    def unequal(self) -> int:
        """Inputs the road does not agree on."""
        return self.differs + self.missing + self.extra


@dataclass(frozen=True)
class ParityReport:
    """The result. `differences` are the first ones of each road; `logic` and `plan` are the pipeline's hashes."""

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
        return not any(each.unequal for each in self.standings)

    @property
    def verdict(self) -> str:
        """In one sentence."""
        roads = ", ".join(each.road for each in self.standings if each.equal + each.unequal)
        if self.holds:
            return f"Parity holds: {roads} made the same of {self.inputs:,} inputs."
        worst = max(each.unequal for each in self.standings)
        return f"PARITY IS BROKEN: of {self.inputs:,} inputs, {roads} disagree on {worst:,}."


def compare(
    pipeline: Pipeline, inputs: Sequence[Input], found: Mapping[str, Iterable[Seen | None]], again: str
) -> ParityReport:
    """Hold every road to the first one that takes an input, one input at a time.

    Args:
        pipeline: What the roads ran.
        inputs: What they were given.
        found: By road, what it made of each input, in order; None where it has no way to take it.
        again: The command that repeats it.
    """
    counts: dict[str, Counter[Kind]] = {road: Counter() for road in found}
    differences: dict[str, list[Difference]] = {road: [] for road in found}
    tried = Tried(pipeline)
    for each, *seen in zip(inputs, *found.values(), strict=True):
        expected = next((one for one in seen if one is not None), DROPPED)
        tried.add(each, expected)
        for road, got in zip(found, seen, strict=True):
            kind = _kind(expected, got)
            counts[road][kind] += 1
            if got is not None and kind != "equal" and len(differences[road]) < _SHOWN:
                differences[road].append(Difference(each, road, kind, expected, got))
    return ParityReport(
        pipeline=pipeline.name,
        logic=pipeline.plan.logic,
        plan=pipeline.plan.plan,
        executors={name: bound.version for name, bound in pipeline.executors.items()},
        inputs=len(inputs),
        standings=[
            Standing(road, each["equal"], each["differs"], each["missing"], each["extra"], each["untaken"])
            for road, each in counts.items()
        ],
        differences=[each for road in found for each in differences[road]],
        coverage=tried.coverage(),
        again=again,
    )


def _kind(expected: Seen, got: Seen | None) -> Kind:
    if got is None:
        return "untaken"
    if got == expected:
        return "equal"
    if expected.outcome == "dropped":
        return "extra"
    return "missing" if got.outcome == "dropped" else "differs"
