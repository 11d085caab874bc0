"""Messages between the driver of a batch run and its workers: small, plain, the same on every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from trivium.config.plan import SHOWN, canonical, sha256
from trivium.core.errors import RunError
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.unit_markers import UnitMarker
from trivium.delivery.storage.token import StorageToken
from trivium.engine.breaker import RejectSummary, merge_rejects
from trivium.engine.lookups.usage import LookupUse, merged_use
from trivium.engine.outcomes import Counts, merge_counts


@dataclass(frozen=True)
class Job:
    """One batch run as its workers see it.

    `context` names what a unit's result depends on beside its rows. `columns` are the author's columns as the table
    takes them; None: as the pipeline makes them. `made` says what makes each event type, and `rests` names, by unit
    key, the types that are to run of units whose other types an earlier run made; see `resumption`. `parked`
    are event types that the run leaves out, but counts.
    """

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str
    generation: int
    scope: Scope
    context: Mapping[str, Any]
    lookups: Mapping[str, str]
    token: StorageToken
    columns: pa.Schema | None = None
    made: Mapping[str, str] = field(default_factory=dict)
    rests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parked: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The run's name, see `run_name`."""
        return run_name(self.context)


class UnitResult(msgspec.Struct, frozen=True):
    """A unit's files, its balance by event type, its rejects by signature, and the use of each lookup.

    `held` are the source days in which each event type had inputs.
    """

    files: tuple[DataFile, ...] = ()
    rejects: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = {}
    signatures: RejectSummary = ()
    held: Mapping[str, frozenset[str | None]] = {}
    lookups: Mapping[str, LookupUse] = {}

    @classmethod
    def joined(cls, parts: Sequence[UnitResult]) -> UnitResult:
        """Return the result of a unit that ran in parts."""
        return cls(
            tuple(file for each in parts for file in each.files),
            tuple(file for each in parts for file in each.rejects),
            merge_counts(dict(each.counts) for each in parts),
            merge_rejects(each.signatures for each in parts),
            joined_days(each.held for each in parts),
            lookups=merged_use(each.lookups for each in parts),
        )

    def without(self, types: frozenset[str]) -> UnitResult:
        """Return the result of the other event types, without its files."""
        return UnitResult(
            counts={name: each for name, each in self.counts.items() if name not in types},
            signatures=tuple(each for each in self.signatures if each.signature.event_type not in types),
            held={name: days for name, days in self.held.items() if name not in types},
            lookups=self.lookups,
        )

    def marker(self, key: str, generation: int, made: Mapping[str, str]) -> UnitMarker:
        """Return what a restarted run resumes this unit from; `made` says what made each event type."""
        payload = msgspec.to_builtins(self)
        del payload["files"], payload["rejects"]
        return UnitMarker(key, generation, self.files, self.rejects, payload, made)

    @classmethod
    def of_marker(cls, marker: UnitMarker) -> UnitResult:
        """Return the result that a marker keeps.

        Raises:
            RunError: the marker's payload is none of this runtime's.
        """
        try:
            return msgspec.convert({**marker.payload, "files": marker.files, "rejects": marker.rejects}, cls)
        except msgspec.ValidationError as error:
            message = f"the marker of unit {marker.key} is not a batch run's: {error}"
            raise RunError(f"{message}. Try: remove it from the table's _trivium/runs; its unit runs again") from error


def run_name(context: Mapping[str, Any]) -> str:
    """Return a name of the run's arguments: runs with equal ones may use each other's finished units."""
    return sha256(canonical(context))[:SHOWN]


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
    return {
        "window": days,
        "types": sorted(scope.types),
        "left_out": sorted(scope.left_out),
        "untyped": scope.untyped,
    }
