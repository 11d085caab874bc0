"""Executor versions of batch's rows: which days of a type were made by which, and which are stale.

They are read from the statistics of the files, one type and one version each: no file is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from trivium.config.pipeline import Pipeline
from trivium.delivery.commit.batch import RUNTIME
from trivium.delivery.coverage.days import stretches
from trivium.delivery.coverage.scope import Window
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.lineage import EVENT_TYPE
from trivium.delivery.files.lineage import RUNTIME as RUNTIME_COLUMN

UNKNOWN: Final = "unknown"
"""The version of rows that an earlier release wrote, or of a file with several."""

Versions = Mapping[str, Mapping[str, frozenset[str]]]
"""By event type and executor version, the event days (ISO) that have batch rows of it."""


@dataclass(frozen=True)
class Remake:
    """A run that makes rows anew: of these types, in a stretch of event days (None: of all)."""

    types: tuple[str, ...]
    window: Window | None


class TypeFile(NamedTuple):
    """A file of batch as the log describes it: one event type, one executor version, one event day (ISO)."""

    event_type: str
    version: str
    day: str
    rows: int


def type_files(snapshot: Snapshot) -> Iterator[TypeFile]:
    """Yield batch's files of a snapshot; one of several event types, of an earlier release, is left out."""
    runtime, day = (f"partition.{name}" for name in (RUNTIME_COLUMN.name, "event_date"))
    for row in snapshot.described().to_pylist():
        event_type = _one(row, EVENT_TYPE)
        if row.get(runtime) == RUNTIME and event_type is not None:
            yield TypeFile(event_type, _one(row, "_executor") or UNKNOWN, _text(row.get(day)), row["num_records"] or 0)


def versions_of(snapshot: Snapshot) -> Versions:
    """Return which versions made the batch rows of a snapshot."""
    found: dict[str, dict[str, set[str]]] = {}
    for file in type_files(snapshot):
        found.setdefault(file.event_type, {}).setdefault(file.version, set()).add(file.day)
    return {
        name: {version: frozenset(days) for version, days in sorted(versions.items())}
        for name, versions in sorted(found.items())
    }


def stale_days(pipeline: Pipeline, versions: Versions) -> dict[str, list[str]]:
    """Return the event days (ISO, sorted) of each listed type that have rows of another version than today's."""
    found = {}
    for name, bound in pipeline.executors.items():
        others = {version: days for version, days in versions.get(name, {}).items() if version != bound.version}
        if others:
            found[name] = sorted(frozenset().union(*others.values()))
    return found


def remakes(pipeline: Pipeline, days_of: Mapping[str, list[str]]) -> list[Remake]:
    """Return the runs that make days of types anew: types with the same days share theirs, each stretch is one.

    A source without days is read whole, so its types are made anew whole.
    """
    if not days_of:
        return []
    assert pipeline.config.batch is not None
    if pipeline.config.batch.source.day_column is None:
        return [Remake(tuple(sorted(days_of)), None)]
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, days in sorted(days_of.items()):
        shared.setdefault(tuple(days), []).append(name)
    return [
        Remake(tuple(types), Window(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)))
        for days, types in sorted(shared.items())
        for first, last in stretches(list(days))
    ]


def _one(row: Mapping[str, object], column: str) -> str | None:
    """Return a column's one value in a file, None where its bounds differ or are not known."""
    low, high = row.get(f"min.{column}"), row.get(f"max.{column}")
    return low if isinstance(low, str) and low == high else None


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
