"""Decoded events and their way there: one declared type's decoder, and one pass of it over many records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from trivium.contract.declaration import Declaration
from trivium.engine.decoder_types import derive, fraction_guard
from trivium.engine.lines import Values, lines_of
from trivium.engine.normalise import Normaliser, contains_time
from trivium.engine.outcomes import Reject
from trivium.engine.record_checks import FAILURES, check_fractions, with_long_fractions, with_many_brackets

_STRETCH: Final = 1024
_UNREADABLE: Final = (*FAILURES, TypeError)  # a TypeError is the decoder's answer to a null


@dataclass
class Decoded:
    """Events by event type with their batch rows, dropped rows by (pseudo) event type, and rejects."""

    events: dict[str, tuple[list[int], list[Any]]] = field(default_factory=dict)
    dropped: dict[str, list[int]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, event_type: str, index: int, event: Any) -> None:
        """Take in one event."""
        rows, events = self.events.setdefault(event_type, ([], []))
        rows.append(index)
        events.append(event)

    def drop(self, name: str, index: int) -> None:
        """Take in one dropped row."""
        self.dropped.setdefault(name, []).append(index)

    def sort(self, event_type: str) -> None:
        """Put the events of a type in the order of their rows."""
        rows, events = self.events.get(event_type, ([], []))
        order = sorted(range(len(rows)), key=rows.__getitem__)
        rows[:] = [rows[i] for i in order]
        events[:] = [events[i] for i in order]


class DeclaredType:
    """One declared event type: its strict decoder for records known to be of it, its normaliser."""

    def __init__(self, declaration: Declaration) -> None:
        self.name = declaration.event_type
        self.decoder = msgspec.json.Decoder(derive(declaration.event, declaration.event_fields))
        self.normalise = Normaliser(declaration.event_fields)
        self.has_times = any(contains_time(spec.type) for spec in declaration.event_fields)
        guard = msgspec.json.Decoder(fraction_guard(declaration.event_fields))
        self._guard = guard.decode if self.has_times else None

    def decode(self, value: bytes) -> Any:
        """One event, looked at in every respect but the nesting of the whole record.

        Raises:
            one of `FAILURES`: it is none of this type.
        """
        event = self.decoder.decode(value)
        check_fractions(self._guard, value)
        self.normalise(event)
        return event

    def normalised(self, rows: list[int], events: list[Any], out: Decoded) -> tuple[list[int], list[Any]]:
        """Events that one pass decoded, without those the normaliser refuses, which become rejects."""
        bad: set[int] = set()
        for at in self.normalise.suspects(events) if self.normalise else ():
            try:
                self.normalise(events[at])
            except ValueError as error:
                bad.add(at)
                out.rejects.append(Reject(rows[at], "decode", "invalid", str(error), self.name))
        if not bad:
            return rows, events
        kept = [at for at in range(len(rows)) if at not in bad]
        return [rows[at] for at in kept], [events[at] for at in kept]


def decode_pass(decoder: msgspec.json.Decoder[Any], values: Values, *, times: bool) -> tuple[list[Any], set[int]]:
    """Each record decoded, at C speed; None for those one pass is not for, whose places are the second answer.

    Those are nulls, what the decoder gave up, many brackets and, where there are `times`, long fractions of a second.
    It goes in stretches, so that a record is still in the processor's cache when its brackets are counted.
    """
    events: list[Any] = []
    slow: set[int] = set()
    for start in range(0, len(values), _STRETCH):
        stretch = values[start : start + _STRETCH]
        text = lines_of(stretch)
        decoded, failed = _decoded(decoder, stretch, text)
        failed |= with_many_brackets(stretch, text, len(stretch) - len(failed))
        failed |= with_long_fractions(stretch, text) if times else set()
        slow |= {start + at for at in failed}
        events += decoded
    for at in slow:
        events[at] = None
    return events, slow


def _decoded(decoder: msgspec.json.Decoder[Any], values: Values, text: memoryview | None) -> tuple[list[Any], set[int]]:
    """The decoded records, and the places of those that are none.

    All lines are decoded in one call, which saves a quarter of the time. Its answers count if there is one for each
    line: an answer never ends within a line, so then none goes over the end of one either.
    """
    if text is not None:
        try:
            events = decoder.decode_lines(text)
        except _UNREADABLE:
            events = []
        if len(events) == len(values):
            return events, set()
    return _one_by_one(decoder.decode, values)


def _one_by_one(decode: Callable[[Any], Any], values: Values) -> tuple[list[Any], set[int]]:
    events: list[Any] = []
    failed: set[int] = set()
    decoded = map(decode, values)
    while len(events) < len(values):
        try:
            events.extend(decoded)
        except _UNREADABLE:
            failed.add(len(events))
            events.append(None)
    return events, failed
