"""Counts of what a replica answered: plain numbers on the way of a request, handed to the meters once in a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from trivium.engine.outcomes import UNDECODED
from trivium.engine.requests.worker import EventAnswer

_KEPT: Final = 250
_KIND: Final = attrgetter("event_type", "outcome")
_ROWS: Final = attrgetter("rows")


class RequestCounts:
    """Requests by status, events by type and outcome, rows by type, and how long the newest requests took.

    Totals only grow. `seconds` are emptied by whoever exports them; no more than 250 are kept.
    """

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.events: Counter[tuple[str | None, str]] = Counter()
        self.rows: Counter[str | None] = Counter()
        self.seconds: list[float] = []

    def answered(self, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[status] += 1
        if len(self.seconds) < _KEPT:
            self.seconds.append(seconds)

    def add(self, answers: Sequence[EventAnswer]) -> None:
        """Count the events of an answer."""
        events, rows = self.events, self.rows
        kinds = set(map(_KIND, answers))
        if len(kinds) == 1:  # of one kind, as most requests are: no loop
            events[kinds.pop()] += len(answers)
            rows[answers[0].event_type] += sum(map(len, map(_ROWS, answers)))
            return
        for answer in answers:
            events[answer.event_type, answer.outcome] += 1
            if answer.rows:
                rows[answer.event_type] += len(answer.rows)

    def take_seconds(self) -> list[float]:
        """Take the seconds of the newest requests; they are counted no more."""
        taken, self.seconds = self.seconds, []
        return taken


def type_name(event_type: str | None) -> str:
    """Return an answer's event type as a metric's tag."""
    return event_type or UNDECODED
