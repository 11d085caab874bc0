"""The event days and event types whose batch rows a run replaces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Window:
    """Event dates from `start` (included) to `end` (not included)."""

    start: date
    end: date

    def holds(self, day: str | None) -> bool:
        """Return whether an ISO date lies in the window."""
        return day is not None and self.start.isoformat() <= day < self.end.isoformat()

    def days(self) -> list[date]:
        """Return every day in the window."""
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days)]

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True)
class Scope:
    """The part of batch's rows that is a run's to replace; every other row, and its coverage, stays.

    `window` None means all event days. `types` are the event types that the pipeline lists, or those of them that the
    run makes anew: then inputs of other types, and those without one, are none of its (`untyped` False). `left_out`
    are event days (ISO) whose source days are missing: they stay as they are though they lie in the window.
    """

    window: Window | None
    types: frozenset[str]
    left_out: frozenset[str] = frozenset()
    untyped: bool = True

    def overlaps(self, other: Scope) -> bool:
        """Return whether a row or a dead letter may be in both; days that are left out are taken as held."""
        if self.types.isdisjoint(other.types) and not (self.untyped and other.untyped):
            return False
        if self.window is None or other.window is None:
            return True
        return self.window.start < other.window.end and other.window.start < self.window.end

    def holds_day(self, day: str | None) -> bool:
        """Return whether rows of an event day (ISO) are replaced."""
        return day not in self.left_out and (self.window is None or self.window.holds(day))

    def owns_letters_of(self, event_type: str | None) -> bool:
        """Return whether dead letters of an event type (None: of no known type) are replaced."""
        return self.untyped if event_type is None else event_type in self.types

    def owns_source_day(self, day: str | None) -> bool:
        """Return whether drops and rejects of a source day (ISO; None: the source has no days) count to the run."""
        return self.window is None or self.window.holds(day)
