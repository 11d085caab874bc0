"""The source days of a run: those it reads, and those that ought to be there and are not.

A day that is missing, or was read by an earlier run and is gone, is never taken for an empty one: what is in the table
of it would be replaced by nothing. A run that meets one is refused, or leaves out every event day that may hold rows of
such a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from trivium.config.model.pipeline import Batch
from trivium.connectors import place_of
from trivium.connectors.archive.days import folder_day
from trivium.connectors.archive.units import SourcePlan
from trivium.core.errors import RunError
from trivium.delivery.commit.batch import batch_sources
from trivium.delivery.coverage.days import days_around
from trivium.delivery.coverage.documents import CoverageReader
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta.snapshot import Snapshot

MissingDays = Literal["refuse", "leave"]
_NAMED = 31


@dataclass(frozen=True)
class SourceDays:
    """The source days that are there, with the time of each one's oldest file, and the ones that are missing.

    `left_out` are the event days that a run leaves as they are because of the missing ones.
    """

    read: Mapping[str | None, int]
    missing: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()


def source_days(batch: Batch, plan: SourcePlan, table: str, scope: Scope, missing: MissingDays) -> SourceDays:
    """Return the source days of a run over `scope`.

    Raises:
        RunError: source days are missing and `missing` says to refuse; names them.
    """
    there = plan.days()
    if batch.source.day_column is None:
        return SourceDays(there)
    wanted = there if scope.window is None else {day: at for day, at in there.items() if _reads(batch, scope, day)}
    found = _Missing(batch, plan, table, scope)
    if not found.days:
        return SourceDays(wanted)
    if missing == "refuse":
        raise RunError(_refusal(batch, sorted(found.days), there, scope.window))
    return SourceDays(wanted, frozenset(found.days), found.left_out())


class _Missing:
    """The source days that a run needs and the source does not have."""

    def __init__(self, batch: Batch, plan: SourcePlan, table: str, scope: Scope) -> None:
        self._batch, self._scope = batch, scope
        there = {day for day in plan.days() if day is not None}
        snapshot = Snapshot.find(table)
        self._known = CoverageReader(table, snapshot).source_days() if snapshot else frozenset()
        self._gone = self._known - there
        self._lost = self._lost_event_days(plan, table) if self._gone else {}
        self.days = self._needed(there) | set(self._lost)

    def left_out(self) -> frozenset[str]:
        """Return the event days that may hold rows of a missing source day."""
        days = {day for lost in self._lost.values() for day in lost} | self.days
        for gone in self.days & self._gone:
            days.update(days_around(gone, before=self._batch.late_days))
        return frozenset(days)

    def _needed(self, there: set[str]) -> set[str]:
        window = self._scope.window
        gone = {day for day in self._gone if _reads(self._batch, self._scope, day)}
        return gone | ({day.isoformat() for day in window.days()} - there if window is not None else set())

    def _lost_event_days(self, plan: SourcePlan, table: str) -> dict[str, set[str]]:
        """Return the event days whose batch rows came from a source day that is gone, by that day.

        A file that is gone while its day is there was written anew. Where the path does not tell a file's day, it may
        be any day that is gone.
        """
        source, files = self._batch.source, {each.file.path for each in plan.files}
        lost: dict[str, set[str]] = {}
        for path, days in batch_sources(table, self._scope).items():
            if path not in files:
                named = folder_day(place_of(source), path, source.day_column)
                for day in self._gone & {named} if named else self._gone:
                    lost.setdefault(day, set()).update(days)
        return lost


def _reads(batch: Batch, scope: Scope, day: str | None) -> bool:
    """Return whether a run reads a source day that is there: of a window also the `late_days` after it."""
    if scope.window is None:
        return True
    first, last = scope.window.start, scope.window.end + timedelta(days=batch.late_days)
    return day is not None and first.isoformat() <= day < last.isoformat()


def _refusal(batch: Batch, missing: list[str], there: Mapping[str | None, int], window: Window | None) -> str:
    named = ", ".join([*missing[:_NAMED], *_more(len(missing) - _NAMED)])
    days = sorted(day for day in there if day)
    has = f"it has {days[0]} to {days[-1]}" if days else "it has none at all"
    wanted = f"every day of {window}" if window else "every source day that an earlier run read"
    return (
        f"expected {wanted} in {place_of(batch.source)}, found no files of {named} ({has}). A day that is missing is "
        "not taken for an empty one: what is in the table of it would be replaced by nothing. Try: bring the files "
        "back, choose another --from and --to, or give --allow-missing-days, which leaves those days as they are"
    )


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"and {count} more"
