"""Coverage: where batch has read, so that a reader knows which streamed rows a batch run speaks for.

It is kept per event day and event type as the source days that were read for it, each with the moment before which that
source day was complete (microseconds since 1970 UTC). A source day counts for a type only if it held inputs of that
type (or none at all), and for an event day only if it is the day itself or one of the `late_days` after it; an event
day whose own source day was not read is not covered. So a run over everything, the same days in single windows, and a
re-run cover the same.

A run's coverage is a document `_trivium/coverage/<generation>.json`, published before the table's commit and never
changed; the commit's transactions name it. A version of the table therefore finds its own coverage. A windowed run's
document holds its event days, for types that it did not replace as they were before. A run over all days says once for
all of them which types it replaced; a day's own document counts against it where it is the younger.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import msgspec

from trivium.delivery.coverage.days import days_around, days_of, stretches
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage

FOLDER: Final = "_trivium/coverage"
_READERS: Final = 8  # an object store answers many small reads at once

DayCoverage = Mapping[str, Mapping[str, int]]
"""Of one event day, per event type: source day (ISO, or ALL_DAYS) to the moment before which it was complete."""

_log = logging.getLogger(__name__)


class Covered(msgspec.Struct, frozen=True):
    """Event types of one event day for which the same source days were read."""

    types: list[str]
    complete: dict[str, int]


class Whole(msgspec.Struct, frozen=True):
    """Coverage by runs over all event days: `replaced` maps event types to the generation of the newest such run."""

    replaced: dict[str, int]
    days: dict[str, list[Covered]]
    always: dict[str, int] = {}
    """Event type to the moment, for a source without days."""


class RunCoverage(msgspec.Struct, frozen=True):
    """A run's coverage. `read` are all source days that any committed run has read, as first and last of each stretch.

    `days` are the event days that are found here from this run's commit on. `after` is the generation of the commit
    that all this builds on, the newest one of batch.
    """

    generation: int
    read: list[tuple[str, str]] = []
    days: dict[str, list[Covered]] = {}
    whole: Whole | None = None
    after: int = 0

    def transactions(self, pipeline: str) -> dict[str, int]:
        """Return the transactions that name the document."""
        moved = {transactions.coverage(pipeline, day): self.generation for day in self.days}
        if self.whole is not None:
            moved[transactions.coverage_of_all_days(pipeline)] = self.generation
        return moved


@dataclass(frozen=True)
class Reading:
    """The source days a run read: when each was complete, and which of them count for an event type.

    Both use ALL_DAYS for a source without days, whose moment is 0 when nobody said one.
    """

    complete: Mapping[str, int]
    types: Mapping[str, frozenset[str]]
    late_days: int = 0

    def covers(self, day: str) -> DayCoverage:
        """Return what the run covers of an event day."""
        if day not in self.complete:
            return {}
        near = [each for each in days_around(day, after=self.late_days) if each in self.complete]
        found = {
            name: {each: self.complete[each] for each in near if each in held} for name, held in self.types.items()
        }
        return {name: complete for name, complete in found.items() if complete}


class CoverageReader:
    """The coverage of one version of a table."""

    def __init__(self, uri: str, snapshot: Snapshot) -> None:
        self._storage, self._snapshot = Storage(uri), snapshot
        self._pipeline = snapshot.pipeline or ""
        self._documents: dict[int, RunCoverage] = {}

    def of_days(self, days: Iterable[str]) -> dict[str, DayCoverage]:
        """Return the coverage of event days (ISO); days without any are left out.

        Raises:
            StorageError: a document that the version names is gone or cannot be read.
        """
        named = {day: self._named(transactions.coverage(self._pipeline, day)) for day in days}
        newest = self._named(transactions.coverage_of_all_days(self._pipeline))
        self._load({*named.values(), newest} - {0})
        whole = self._documents[newest].whole if newest else None
        found = {day: self._day(day, generation, whole) for day, generation in named.items()}
        return {day: coverage for day, coverage in found.items() if coverage}

    def all_days(self) -> Whole:
        """Return what runs over all event days covered."""
        newest = self._named(transactions.coverage_of_all_days(self._pipeline))
        self._load({newest} - {0})
        return (self._documents[newest].whole if newest else None) or Whole({}, {})

    def source_days(self) -> frozenset[str]:
        """Return every source day that a committed run has read.

        A table of a version that kept no documents knows it only of event days that batch has rows of.
        """
        committed = self._named(transactions.committed(self._pipeline))
        if committed and self._storage.stat(_path(committed)) is not None:
            self._load({committed})
            return frozenset(days_of(self._documents[committed].read))
        days = self._snapshot.event_days() if committed else []
        return frozenset(day for day in days if self._named(transactions.source_day(self._pipeline, day)))

    def _day(self, day: str, generation: int, whole: Whole | None) -> DayCoverage:
        own = self._documents[generation].days.get(day, []) if generation else []
        found = dict(_types(own))
        if whole is not None:
            theirs = _types(whole.days.get(day, []))
            for name in (name for name, replaced in whole.replaced.items() if replaced > generation):
                found[name] = {ALL_DAYS: whole.always[name]} if name in whole.always else theirs.get(name, {})
        return {name: complete for name, complete in found.items() if complete}

    def _named(self, transaction: str) -> int:
        return self._snapshot.transaction(transaction) or 0

    def _load(self, generations: Iterable[int]) -> None:
        todo = [generation for generation in generations if generation not in self._documents]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="coverage") as pool:
            self._documents |= zip(todo, pool.map(self._document, todo), strict=True)

    def _document(self, generation: int) -> RunCoverage:
        path = _path(generation)
        try:
            return msgspec.json.decode(self._storage.read(path), type=RunCoverage)
        except (msgspec.MsgspecError, StorageError) as error:
            raise StorageError(
                f"{self._storage.uri}/{path}: expected what a batch run covered, got: {error}. Without it nobody can "
                "tell which streamed rows count. Try: restore the file; or run batch again for those days, which says "
                "it anew"
            ) from error


class _Earlier(CoverageReader):
    """The coverage that a new run builds on: of a document that is gone nothing is covered, which hides no row."""

    def _document(self, generation: int) -> RunCoverage:
        if self._storage.stat(_path(generation)) is None:
            _log.warning("%s/%s is gone; nothing of it is covered any more", self._storage.uri, _path(generation))
            return RunCoverage(generation)
        return super()._document(generation)


def covering(uri: str, generation: int, scope: Scope, reading: Reading) -> RunCoverage:
    """Return the document of a run that is about to commit, merged with what was covered before.

    It holds until another batch run commits, then it is to be worked out anew.

    Raises:
        StorageError: a document of an earlier run is gone or cannot be read.
    """
    snapshot = Snapshot.latest(uri)
    before = _Earlier(uri, snapshot)
    after = snapshot.transaction(transactions.committed(snapshot.pipeline or "")) or 0
    read = sorted(before.source_days() | set(reading.complete) - {ALL_DAYS})
    if scope.window is None:
        days = before.of_days(scope.left_out)
        kept = {day: _grouped(days.get(day, {})) for day in sorted(scope.left_out)}
        whole = _whole(before.all_days(), generation, scope, reading)
        return RunCoverage(generation, stretches(read), kept, whole, after)
    wanted = [day for day in (each.isoformat() for each in scope.window.days()) if scope.holds_day(day)]
    earlier = before.of_days(wanted)
    merged = {day: _grouped({**_other_types(earlier.get(day, {}), scope), **reading.covers(day)}) for day in wanted}
    return RunCoverage(generation, stretches(read), merged, after=after)


def publish(uri: str, document: RunCoverage) -> None:
    """Store a document durably; it counts once a commit names it."""
    Storage(uri).publish(_path(document.generation), msgspec.json.encode(document))


def _whole(before: Whole, generation: int, scope: Scope, reading: Reading) -> Whole:
    """Return what runs over all days cover once this one has committed."""
    days = {day: _other_types(_types(covered), scope) for day, covered in before.days.items()}
    for day in reading.complete:
        if day != ALL_DAYS and day not in scope.left_out:
            days[day] = {**days.get(day, {}), **reading.covers(day)}
    replaced = before.replaced | dict.fromkeys(scope.types, generation)
    always = {name: moment for name, moment in before.always.items() if name not in scope.types}
    if moment := reading.complete.get(ALL_DAYS, 0):
        always |= {name: moment for name, held in reading.types.items() if ALL_DAYS in held}
    return Whole(replaced, {day: _grouped(each) for day, each in sorted(days.items()) if each}, always)


def _other_types(coverage: DayCoverage, scope: Scope) -> dict[str, Mapping[str, int]]:
    return {name: complete for name, complete in coverage.items() if name not in scope.types}


def _grouped(coverage: DayCoverage) -> list[Covered]:
    groups: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for name, complete in sorted(coverage.items()):
        groups.setdefault(tuple(sorted(complete.items())), []).append(name)
    return [Covered(types, dict(complete)) for complete, types in groups.items()]


def _types(groups: Iterable[Covered]) -> dict[str, Mapping[str, int]]:
    return {name: group.complete for group in groups for name in group.types}


def _path(generation: int) -> str:
    return f"{FOLDER}/{generation}.json"
