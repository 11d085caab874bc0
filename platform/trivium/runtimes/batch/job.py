"""What the driver tells its workers, and what they answer: small, plain, the same on every node."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any

from trivium.delivery.coverage.scope import Scope
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.token import StorageToken
from trivium.engine.breaker import RejectSummary
from trivium.engine.outcomes import Counts, merge_counts


@dataclass(frozen=True)
class Job:
    """One batch run as its workers see it. `context` names what a unit's result depends on beside its rows."""

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str
    generation: int
    scope: Scope
    context: Mapping[str, Any]
    lookups: Mapping[str, str]
    token: StorageToken


@dataclass(frozen=True)
class UnitResult:
    """What came of a unit: its files, its balance by event type, and its rejects by signature.

    `held` are the source days in which each event type had inputs.
    """

    files: tuple[DataFile, ...] = ()
    rejects: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)
    signatures: RejectSummary = field(default_factory=RejectSummary)
    held: Mapping[str, frozenset[str | None]] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[UnitResult]) -> UnitResult:
        """The result of a unit that ran in parts."""
        return cls(
            tuple(file for each in parts for file in each.files),
            tuple(file for each in parts for file in each.rejects),
            merge_counts(dict(each.counts) for each in parts),
            reduce(RejectSummary.merged, (each.signatures for each in parts), RejectSummary()),
            joined_days(each.held for each in parts),
        )

    def payload(self) -> dict[str, Any]:
        """What a resume marker keeps beside the files."""
        counts = {name: asdict(counts) for name, counts in self.counts.items()}
        held = {name: sorted(days, key=str) for name, days in self.held.items()}
        return {"counts": counts, "signatures": self.signatures.as_json(), "held": held}

    @classmethod
    def of_marker(cls, files: Any, rejects: Any, payload: Mapping[str, Any]) -> UnitResult:
        """The result a marker stands for."""
        counts = {name: Counts(**each) for name, each in payload["counts"].items()}
        held = {name: frozenset(days) for name, days in payload["held"].items()}
        return cls(tuple(files), tuple(rejects), counts, RejectSummary.from_json(payload["signatures"]), held)

    def encode(self) -> str:
        """As JSON text."""
        files = [[file.as_json() for file in group] for group in (self.files, self.rejects)]
        return json.dumps([*files, self.payload()])

    @classmethod
    def decode(cls, text: str) -> UnitResult:
        """The inverse of `encode`."""
        files, rejects, payload = json.loads(text)
        return cls.of_marker(map(DataFile.from_json, files), map(DataFile.from_json, rejects), payload)


def joined_days(parts: Iterable[Mapping[str, frozenset[str | None]]]) -> dict[str, frozenset[str | None]]:
    """Return the source days of each event type over several parts of a run."""
    joined: dict[str, frozenset[str | None]] = {}
    for part in parts:
        for name, days in part.items():
            joined[name] = joined.get(name, frozenset()) | days
    return joined


def scope_json(scope: Scope) -> dict[str, Any]:
    """Return a scope as plain data."""
    window = scope.window
    days = None if window is None else [window.start.isoformat(), window.end.isoformat()]
    return {"window": days, "types": sorted(scope.types), "left_out": sorted(scope.left_out)}
