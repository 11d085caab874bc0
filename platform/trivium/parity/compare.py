"""The comparison: who agrees with whom, on what, and how much was tried at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from trivium.config.pipeline import Pipeline
from trivium.parity.coverage import Coverage, Tried
from trivium.parity.inputs import Input
from trivium.parity.results import DROPPED, InputOutcome

_SHOWN = 10
_NO_RUNTIME = "columns"  # an input that is no event has none
Kind = Literal["equal", "differs", "missing", "extra", "untaken"]


@dataclass(frozen=True)
class Difference:
    """An input that a runtime made something else of than the first runtime did."""

    input: Input
    runtime: str
    kind: Kind
    expected: InputOutcome
    got: InputOutcome


@dataclass(frozen=True)
class RuntimeResult:
    """Agreement of a runtime with the first one, in inputs.

    It made the same of them; made something else; left no row and no reject where the first runtime did (`missing`);
    left one where the first runtime did not (`extra`); has no way to take them.
    """

    runtime: str
    equal: int
    differs: int
    missing: int
    extra: int
    untaken: int

    @property
    def unequal(self) -> int:
        """Inputs the runtime does not agree on."""
        return self.differs + self.missing + self.extra

    @property
    def taken(self) -> int:
        """Inputs the runtime could take."""
        return self.equal + self.unequal


@dataclass(frozen=True)
class ParityReport:
    """The result. `differences` are the first ones of each runtime; `logic` and `plan` are the pipeline's hashes.

    `untried` says why a runtime was not tried, `failed` what keeps the comparison from saying anything of a runtime.
    `states` names the state of each lookup that all runtimes used, `changed` says which one did not stay as it was;
    `called_anew` are lookups without names for their states, which each runtime called by itself.
    """

    pipeline: str
    logic: str
    plan: str
    executors: Mapping[str, str]
    inputs: int
    results: Sequence[RuntimeResult]
    differences: Sequence[Difference]
    coverage: Coverage
    again: str
    untried: Mapping[str, str] = field(default_factory=dict)
    failed: Sequence[str] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    changed: Sequence[str] = ()
    called_anew: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Tell that all runtimes agree, and that each was tried."""
        return not self.failed and not self.changed and not any(each.unequal for each in self.results)

    @property
    def not_tried(self) -> list[str]:
        """Gaps: runtimes not tried, ways that no input could take, and values that the inputs never held."""
        silent = [each.runtime for each in self.results if not each.taken and each.runtime not in self.untried]
        runtimes = [f"{name}: {why}" for name, why in self.untried.items()]
        anew = [
            f"lookup {name}: it names no state, so each runtime asked it anew; facts that changed meanwhile show as "
            "differences"
            for name in self.called_anew
        ]
        return [*runtimes, *anew, *(f"{runtime}: it could take no input" for runtime in silent), *self.coverage.thin]

    @property
    def verdict(self) -> str:
        """In one sentence."""
        runtimes = ", ".join(each.runtime for each in self.results if each.taken)
        worst = max(each.unequal for each in self.results)
        if self.changed:
            return f"PARITY IS NOT SHOWN: {'; '.join(self.changed)}. Try: once more."
        if worst:
            return f"PARITY IS BROKEN: of {self.inputs:,} inputs, {runtimes} disagree on {worst:,}."
        if self.failed:
            return f"PARITY IS NOT SHOWN: {'; '.join(self.failed)}."
        untried = f" Not tried: {', '.join(self.untried)}." if self.untried else ""
        return f"Parity holds: {runtimes} made the same of {self.inputs:,} inputs.{untried}"


@dataclass(frozen=True)
class ComparisonScope:
    """Scope of a comparison: runtimes that the file has not (`absent`, with why), and those that must be tried."""

    absent: Mapping[str, str] = field(default_factory=dict)
    required: Sequence[str] = ()

    def failures(self, results: Sequence[RuntimeResult], inputs: int) -> list[str]:
        """Return a sentence on each runtime that could take nothing, and on each required runtime that is absent."""
        silent = [
            each.runtime for each in results if not each.taken and each.runtime not in (*self.absent, _NO_RUNTIME)
        ]
        missed = [f"{each} was not tried, {why}" for each, why in self.absent.items() if each in self.required]
        return [*(f"{runtime} could take none of {inputs:,} inputs" for runtime in silent), *missed]


def compare(
    pipeline: Pipeline,
    inputs: Sequence[Input],
    found: Mapping[str, Iterable[InputOutcome | None]],
    again: str,
    scope: ComparisonScope | None = None,
) -> ParityReport:
    """Hold every runtime to the first one that takes an input, one input at a time.

    Args:
        pipeline: What the runtimes ran.
        inputs: What they were given.
        found: By runtime, what it made of each input, in order; None where it has no way to take it.
        again: The command that repeats it.
        scope: What was to be tried; None: whatever is in `found`.
    """
    scope = scope or ComparisonScope()
    counts: dict[str, Counter[Kind]] = {runtime: Counter() for runtime in found}
    differences: dict[str, list[Difference]] = {runtime: [] for runtime in found}
    tried = Tried(pipeline)
    for each, *outcomes in zip(inputs, *found.values(), strict=True):
        expected = next((one for one in outcomes if one is not None), DROPPED)
        tried.add(each, expected)
        for runtime, got in zip(found, outcomes, strict=True):
            kind = _kind(expected, got)
            counts[runtime][kind] += 1
            if got is not None and kind != "equal" and len(differences[runtime]) < _SHOWN:
                differences[runtime].append(Difference(each, runtime, kind, expected, got))
    results = [
        RuntimeResult(runtime, each["equal"], each["differs"], each["missing"], each["extra"], each["untaken"])
        for runtime, each in counts.items()
    ]
    return ParityReport(
        pipeline=pipeline.name,
        logic=pipeline.plan.logic,
        plan=pipeline.plan.plan,
        executors={name: bound.version for name, bound in pipeline.executors.items()},
        inputs=len(inputs),
        results=results,
        differences=[each for runtime in found for each in differences[runtime]],
        coverage=tried.coverage(),
        again=again,
        untried=scope.absent,
        failed=scope.failures(results, len(inputs)),
    )


def _kind(expected: InputOutcome, got: InputOutcome | None) -> Kind:
    if got is None:
        return "untaken"
    if got == expected:
        return "equal"
    if expected.outcome == "dropped":
        return "extra"
    return "missing" if got.outcome == "dropped" else "differs"
