"""Messages between the driver of a batch run and its workers: small, plain, the same on every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from trivium.core.errors import RunError
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.unit_markers import UnitMarker
from trivium.delivery.storage.token import StorageToken
from trivium.engine.breaker import RejectSummary, merge_rejects
from trivium.engine.outcomes import Counts, merge_counts


@dataclass(frozen=True)
class Job:
    """One batch run as its workers see it.

    `context` names what a unit's result depends on beside its rows. `columns` are the author's columns as the table
    takes them; None: as the pipeline makes them.
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


class UnitResult(msgspec.Struct, frozen=True):
    """A unit's files, its balance by event type, and its rejects by signature.

    `held` are the source days in which each event type had inputs. `resumed` is the generation of the run before that
    finished the unit, 0: this run did.
    """

    files: tuple[DataFile, ...] = ()
    rejects: tuple[DataFile, ...] = ()
    counts: Mapping[str, Counts] = {}
    signatures: RejectSummary = ()
    held: Mapping[str, frozenset[str | None]] = {}
    resumed: int = 0

    @classmethod
    def joined(cls, parts: Sequence[UnitResult]) -> UnitResult:
        """Return the result of a unit that ran in parts."""
        return cls(
            tuple(file for each in parts for file in each.files),
            tuple(file for each in parts for file in each.rejects),
            merge_counts(dict(each.counts) for each in parts),
            merge_rejects(each.signatures for each in parts),
            joined_days(each.held for each in parts),
        )

    def marker(self, key: str, generation: int) -> UnitMarker:
        """Return what a restarted run resumes this unit from."""
        payload = msgspec.to_builtins(self)
        del payload["files"], payload["rejects"], payload["resumed"]
        return UnitMarker(key, generation, self.files, self.rejects, payload)

    @classmethod
    def of_marker(cls, marker: UnitMarker) -> UnitResult:
        """Return the result that a marker keeps.

        Raises:
            RunError: the marker's payload is none of this runtime's.
        """
        try:
            own = {"files": marker.files, "rejects": marker.rejects, "resumed": marker.generation}
            return msgspec.convert({**marker.payload, **own}, cls)
        except msgspec.ValidationError as error:
            message = f"the marker of unit {marker.key} is not a batch run's: {error}"
            raise RunError(f"{message}. Try: remove it from the table's _trivium/runs; its unit runs again") from error


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
