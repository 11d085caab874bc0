"""Decoded events and their way there: one declared type's decoder, and one pass of it over many records."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from trivium.contract.declaration import Declaration
from trivium.core.error_text import decode_error
from trivium.engine.decoding.last_values import LastValues
from trivium.engine.decoding.packed_values import PackedValues
from trivium.engine.decoding.record_checks import FAILURES, check_fractions, with_long_fractions, with_many_brackets
from trivium.engine.outcomes import Reject
from trivium.types.normalise import Normaliser, contains_time
from trivium.types.structs import derive, derive_tagged, fraction_guard

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
        self.declaration = declaration
        self.struct = derive(declaration.event, declaration.event_fields)
        self.decoder = msgspec.json.Decoder(self.struct)
        self._last_values = LastValues(declaration.event_fields)
        self.normalise = Normaliser(declaration.event_fields)
        self.has_times = any(contains_time(spec.type) for spec in declaration.event_fields)
        guard = msgspec.json.Decoder(fraction_guard(declaration.event_fields))
        self._guard = guard.decode if self.has_times else None

    def tagged_struct(self, tag_field: str) -> Any:
        """Return the struct that a record with its tag in this field is decoded as."""
        return derive_tagged(self.declaration.event, self.declaration.event_fields, tag_field, self.name)

    def decode(self, value: bytes) -> Any:
        """Decode one event, checked in every respect but the nesting of the whole record.

        Raises:
            one of `FAILURES`: it is none of this type.
        """
        try:
            event = self._read(value)
        except FAILURES as error:
            event = self._read(self._once(value, error))
        self.normalise(event)
        return event

    def _read(self, value: bytes) -> Any:
        event = self.decoder.decode(value)
        check_fractions(self._guard, value)
        return event

    def _once(self, value: bytes, error: Exception) -> bytes:
        """Return a refused record with each field once; raise its error where it is JSON and no object."""
        try:
            return self._last_values(value)
        except msgspec.ValidationError:
            raise error from None

    def normalised(self, rows: list[int], events: list[Any], out: Decoded) -> tuple[list[int], list[Any]]:
        """Return the events that one pass decoded, without those the normaliser refuses, which become rejects."""
        bad: set[int] = set()
        for at in self.normalise.suspects(events) if self.normalise else ():
            try:
                self.normalise(events[at])
            except ValueError as error:
                bad.add(at)
                out.rejects.append(Reject(rows[at], "decode", "invalid", decode_error(error), self.name))
        if not bad:
            return rows, events
        kept = [at for at in range(len(rows)) if at not in bad]
        return [rows[at] for at in kept], [events[at] for at in kept]


def suspects(values: PackedValues, *, times: bool) -> set[int]:
    """Return the records that one pass is not for: where there are `times`, long fractions of a second."""
    return with_long_fractions(values) if times else set()


def decode_pass(decoder: msgspec.json.Decoder[Any], values: PackedValues, slow: set[int]) -> list[Any]:
    """Decode each record, at C speed; None for those in `slow`, for nulls and for those it gave up, which are added.

    It goes in stretches, so that a record is still in the processor's cache when its brackets are counted.
    """
    events: list[Any] = []
    known = sorted(slow)
    for start in range(0, len(values), _STRETCH):
        stretch = values[start : start + _STRETCH]
        left_out = {at - start for at in known[bisect_left(known, start) : bisect_left(known, start + _STRETCH)]}
        found = None if left_out else _decode_lines(decoder, stretch)
        if found is None:
            found = _decode_each(decoder.decode, stretch, left_out)
        for at in with_many_brackets(stretch, len(found) - len(left_out)):
            left_out.add(at)
            found[at] = None
        slow |= {start + at for at in left_out}
        events += found
    return events


def _decode_lines(decoder: msgspec.json.Decoder[Any], stretch: PackedValues) -> list[Any] | None:
    """Decode all records of a stretch by one call; None unless each of them is one value that the decoder takes.

    The decoder does not look at line feeds: it reads one value after the other. But a record between braces cannot run
    into the next, since a string may not hold the line feed between them, and outside of strings no `{` may follow a
    `}`. So each holds one value or more, and as many values as records means one each.
    """
    if not stretch.are_objects():
        return None
    try:
        found = decoder.decode_lines(stretch.text)
    except _UNREADABLE:
        return None
    return found if len(found) == len(stretch) else None


def _decode_each(decode: Callable[[Any], Any], stretch: PackedValues, left_out: set[int]) -> list[Any]:
    """Decode the records one by one; None for those in `left_out` and the unreadable, which join them."""
    values = [None if at in left_out else value for at, value in enumerate(stretch)]
    events: list[Any] = []
    decoded = map(decode, values)
    while len(events) < len(values):
        try:
            events.extend(decoded)
        except _UNREADABLE:
            left_out.add(len(events))
            events.append(None)
    return events
