"""The rows a reader of a `Lake` must see, worked out without the code under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.lake import Archive, Call, Input, Reading, Streamed, micros, moment, path_of


@dataclass
class Oracle:
    """`batch` holds rows with the source day they came from; `cover` the moment per event day, type and source day."""

    late_days: int
    streamed: list[Streamed] = field(default_factory=list)
    batch: list[tuple[int, Input]] = field(default_factory=list)
    cover: dict[tuple[int, str], dict[int, int]] = field(default_factory=dict)
    letters: dict[tuple[int, int], str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)

    def run(self, archive: Archive, written: Mapping[int, datetime], call: Call) -> set[int] | None:
        """A batch run; returns the source days for which it is refused (empty: for something else)."""
        there, window = set(archive), call.window
        asked = None if window is None else set(range(*window))
        read = {day for day in there if window is None or window[0] <= day < window[1] + self.late_days}
        gone = self.known - there
        lost: dict[int, set[int]] = {}
        for day, each in self.batch:
            if day in gone and each.kind in call.types and (asked is None or each.event_day in asked):
                lost.setdefault(day, set()).add(each.event_day)
        reach = gone if window is None else {day for day in gone if window[0] <= day < window[1] + self.late_days}
        missing = (set() if asked is None else asked - there) | reach | set(lost)
        if missing and call.missing == "refuse":
            return missing
        left = missing | {each for days in lost.values() for each in days}
        left |= {day - back for day in missing & gone for back in range(self.late_days + 1)}

        def scope(event_day: int) -> bool:
            return event_day not in left and (asked is None or event_day in asked)

        inputs = [(day, place, each) for day in sorted(read) for place, each in enumerate(archive[day])]
        if not inputs:
            return set()
        own = [(day, each) for day, each in self.batch if each.kind in call.types and scope(each.event_day)]
        if asked is not None and any(day in there - read for day, _ in own):
            return set()
        self.batch = [one for one in self.batch if one not in own]
        self.batch += [(d, e) for d, _, e in inputs if e.kind in call.types and e.fate == "row" and scope(e.event_day)]
        self._cover(call, scope, {day: micros(written[day]) for day in read}, inputs, read if asked is None else asked)
        days = read if asked is None else asked & there
        rejected = {(d, n): e.kind for d, n, e in inputs if e.fate == "reject" and e.kind in call.types and d in days}
        stay = {
            at: kind
            for at, kind in self.letters.items()
            if at[0] not in days or kind not in call.types or at[0] in left
        }
        self.letters = stay | rejected
        self.known |= read
        return None

    def _cover(self, call: Call, scope, complete: Mapping[int, int], inputs: Sequence, days: set[int]) -> None:
        if call.complete is not None:
            complete = dict.fromkeys(complete, micros(call.complete))
        for event_day, kind in list(self.cover):
            if scope(event_day) and kind in call.types:
                del self.cover[event_day, kind]
        empty = set(complete) - {day for day, _, _ in inputs}
        for event_day in (each for each in days if scope(each) and each in complete):
            for kind in call.types:
                held = {day for day, _, each in inputs if each.kind == kind}
                held |= empty if held else set()
                near = {day for day in complete if event_day <= day <= event_day + self.late_days} & held
                self.cover[event_day, kind] = {day: complete[day] for day in near}

    def reading(self) -> Reading:
        """Event type, identity and runtime of each row that counts."""
        batch = {(each.kind, each.name) for _, each in self.batch}
        seen = {(kind, name, "batch") for kind, name in batch}
        for row in self.streamed:
            if (row.kind, row.name) not in batch and not self.hidden(row):
                seen.add((row.kind, row.name, "streaming"))
        return seen

    def hidden(self, row: Streamed) -> bool:
        """Whether batch read where the row would have been."""
        source_day = (row.ingested - moment(0)).days
        before = self.cover.get((row.event_day, row.kind), {}).get(source_day)
        return before is not None and micros(row.ingested) < before

    def counting(self) -> list[tuple[str, str, int]]:
        """The dead letters that count."""
        return sorted((kind, path_of(day), place) for (day, place), kind in self.letters.items())

    def batch_rows(self) -> list[tuple[str, str, str]]:
        """Batch's rows in the table."""
        return sorted((each.kind, each.name, path_of(day)) for day, each in self.batch)
