"""JSON records to events: one decoder for every runtime, with the answers docs/contract.md lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Union

import msgspec
import numpy as np

from trivium.contract.declaration import Declaration
from trivium.engine.decoder_types import derive, fraction_guard
from trivium.engine.normalise import Normaliser, contains_time
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Reject

MAX_NESTING: Final = 64
_CACHED_BYTES: Final = 1 << 18
_FAILURES: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_LONG_FRACTION: Final = re.compile(rb"\.\d{7}")
# A point or a digit may hide behind an escape; where one does, the digits are counted after decoding.
_ESCAPED_FRACTION: Final = re.compile(rb"\\u00(?:2[eE]|3\d)")


@dataclass
class Decoded:
    """Events by event type with their batch rows, dropped rows by (pseudo) event type, and rejects."""

    events: dict[str, tuple[list[int], list[Any]]] = field(default_factory=dict)
    dropped: dict[str, list[int]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


class _Type:
    """One declared event type: its struct, its strict decoder for a known tag, its normaliser."""

    def __init__(self, declaration: Declaration, tag_field: str) -> None:
        self.name = declaration.event_type
        self.tagged = derive(declaration.event, declaration.event_fields, tag_field=tag_field)
        self.decode_known = msgspec.json.Decoder(derive(declaration.event, declaration.event_fields)).decode
        self.normalise = Normaliser(declaration.event_fields)
        self.has_times = any(contains_time(spec.type) for spec in declaration.event_fields)
        guard = msgspec.json.Decoder(fraction_guard(declaration.event_fields))
        self.check_fractions = guard.decode if self.has_times else None


class JsonDecoder:
    """Decodes and routes raw records by one field of theirs.

    The fast path is one msgspec call on a tagged union. A record it refuses is looked at again with the tag alone:
    an undeclared type is unrouted, a repeated tag counts by its last value, everything else is a reject with its
    reason.
    """

    def __init__(self, declarations: Mapping[str, Declaration], tag_field: str) -> None:
        self._types = {name: _Type(declaration, tag_field) for name, declaration in declarations.items()}
        self._by_struct = {each.tagged: each for each in self._types.values()}
        # A second member keeps msgspec from accepting a record without a tag when one type is declared alone.
        other = msgspec.defstruct("Undeclared", [], tag="\0", tag_field=tag_field)
        self._decode = msgspec.json.Decoder(Union[(other, *self._by_struct)]).decode
        head = msgspec.defstruct("Head", [("tag", Any, msgspec.UNSET)], rename={"tag": tag_field})
        self._decode_head: Callable[[bytes], Any] = msgspec.json.Decoder(head).decode
        self._tag_field = tag_field
        self._other = other
        self._has_times = any(each.has_times for each in self._types.values())

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Decode every record; each ends in exactly one place of the answer."""
        out = Decoded()
        slow = self._suspects(values)
        events = self._decode_fast(values, slow)
        self._sort(events, out)
        for index in sorted(slow):
            self._resolve(index, values[index], out)
        for rows, sorted_events in out.events.values():
            if len(slow) and rows:
                order = sorted(range(len(rows)), key=rows.__getitem__)
                rows[:] = [rows[i] for i in order]
                sorted_events[:] = [sorted_events[i] for i in order]
        return out

    def _suspects(self, values: Sequence[bytes | None]) -> set[int]:
        """Records the fast path is not for: nulls, and long fractions of a second where there are times."""
        slow = {i for i, value in enumerate(values) if value is None} if None in values else set()
        if self._has_times:
            long, escaped = _LONG_FRACTION.search, _ESCAPED_FRACTION.search
            slow.update(
                i
                for i, v in enumerate(values)
                if v is not None and ((b"." in v and long(v)) or (b"\\" in v and escaped(v)))
            )
        return slow

    def _decode_fast(self, values: Sequence[bytes | None], slow: set[int]) -> list[Any]:
        """Events by row; None where the fast path gave up, its row added to `slow`."""
        events: list[Any] = []
        decode: Callable[[Any], Any] = self._decode
        decoded = map(decode, values if not slow else [b"" if i in slow else v for i, v in enumerate(values)])
        while len(events) < len(values):
            try:
                events.extend(decoded)
            except _FAILURES:
                slow.add(len(events))
                events.append(None)
        for row in _many_brackets(values, len(values) - len(slow)):
            slow.add(row)
            events[row] = None
        return events

    def _sort(self, events: list[Any], out: Decoded) -> None:
        kinds = set(map(type, events))
        for struct in kinds & self._by_struct.keys():
            each = self._by_struct[struct]
            if len(kinds) == 1:
                rows, chosen = list(range(len(events))), events
            else:
                rows = [i for i, event in enumerate(events) if type(event) is struct]
                chosen = [events[i] for i in rows]
            out.events[each.name] = self._normalised(each, rows, chosen, out)
        if self._other in kinds:
            out.dropped[UNROUTED] = [i for i, event in enumerate(events) if type(event) is self._other]

    def _normalised(self, each: _Type, rows: list[int], events: list[Any], out: Decoded) -> tuple[list[int], list[Any]]:
        bad: set[int] = set()
        for at in each.normalise.suspects(events) if each.normalise else ():
            try:
                each.normalise(events[at])
            except ValueError as error:
                bad.add(at)
                out.rejects.append(Reject(rows[at], "decode", "invalid", str(error), each.name))
        if not bad:
            return rows, events
        kept = [at for at in range(len(rows)) if at not in bad]
        return [rows[at] for at in kept], [events[at] for at in kept]

    def _resolve(self, index: int, value: bytes | None, out: Decoded) -> None:
        """Find the answer for one record the fast path did not take."""
        if value is None:
            out.dropped.setdefault(TOMBSTONE, []).append(index)
            return
        event_type: str | None = None
        try:
            _check_nesting(value)
            tag = self._decode_head(value).tag
            if not isinstance(tag, str):
                out.rejects.append(Reject(index, "decode", "no_tag", self._no_tag(tag)))
                return
            each = self._types.get(tag)
            if each is None:
                out.dropped.setdefault(UNROUTED, []).append(index)
                return
            event_type = tag
            event = each.decode_known(value)
            _check_fractions(each, value)
            each.normalise(event)
        except _FAILURES as error:
            out.rejects.append(Reject(index, "decode", _reason(error), str(error), event_type))
            return
        rows, events = out.events.setdefault(event_type, ([], []))
        rows.append(index)
        events.append(event)

    def _no_tag(self, tag: Any) -> str:
        got = "nothing" if tag is msgspec.UNSET else repr(tag)
        return f"expected the event type as a string in {self._tag_field!r}, got {got}"


def _brackets(value: bytes) -> int:
    return value.count(b"{") + value.count(b"[")


def _many_brackets(values: Sequence[bytes | None], decoded: int) -> Iterable[int]:
    """Records with more opening brackets than levels are allowed.

    Each of the `decoded` ones is an object, so has one; if not even the others of the whole batch together are many
    enough, no record needs a look of its own.
    """
    joined = np.frombuffer(b"".join(filter(None, values)), np.uint8)
    chunks = (joined[at : at + _CACHED_BYTES] for at in range(0, len(joined), _CACHED_BYTES))
    # "[" and "{" differ in one bit.
    if sum(int(np.count_nonzero((chunk | 0x20) == ord("{"))) for chunk in chunks) - decoded < MAX_NESTING:
        return ()
    return [i for i, value in enumerate(values) if value is not None and _brackets(value) > MAX_NESTING]


class _TooDeep(ValueError):
    pass


def _reason(error: Exception) -> str:
    reasons: list[tuple[type[Exception], str]] = [
        (_TooDeep, "nesting"),
        (RecursionError, "nesting"),
        (UnicodeDecodeError, "encoding"),
        (msgspec.ValidationError, "invalid"),
        (msgspec.DecodeError, "malformed"),
    ]
    return next((reason for kind, reason in reasons if isinstance(error, kind)), "invalid")


def _check_nesting(value: bytes) -> None:
    if _brackets(value) <= MAX_NESTING:
        return
    depth = 0
    for match in _BRACKETS.finditer(value):
        first = match.group()[:1]
        depth += (first in b"{[") - (first in b"}]")
        if depth > MAX_NESTING:
            message = f"the record is nested deeper than {MAX_NESTING} levels"
            raise _TooDeep(message)


def _check_fractions(each: _Type, value: bytes) -> None:
    """Refuse digits below a microsecond in a declared time; other fields may hold whatever they like."""
    if each.check_fractions is None or not (_LONG_FRACTION.search(value) or _ESCAPED_FRACTION.search(value)):
        return
    try:
        each.check_fractions(value)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        message = f"a time has digits below a microsecond - at {place}"
        raise ValueError(message) from error
