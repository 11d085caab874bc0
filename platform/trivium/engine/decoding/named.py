"""JSON records whose event type a header or the topic names: decoded without a look for a tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from trivium.core.error_text import decode_error
from trivium.engine.decoding.decoded import DeclaredType, Decoded, decode_pass, suspects
from trivium.engine.decoding.packed_values import pack
from trivium.engine.decoding.record_checks import FAILURES, check_nesting, reason_of
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Reject

_NO_TYPE: Final = "expected the event type beside the record, where routing looks for it, got nothing"
_NOT_TEXT: Final = "the event type is not valid UTF-8"


class NamedRecords:
    """Decodes records of known event types, one pass a type.

    A record of an undeclared type is unrouted if it is one well-formed JSON object, one without a type is a reject. The
    record's own tag is a field as any other: skipped unless the event declares it.
    """

    def __init__(self, types: Mapping[str, DeclaredType]) -> None:
        self._types = types
        self._decode_any = msgspec.json.Decoder(msgspec.defstruct("Undeclared", [])).decode

    def decode(self, values: Sequence[bytes | None], types: Sequence[str | None]) -> Decoded:
        """Decode every record; each ends in exactly one place of the answer."""
        if len(types) != len(values):
            message = f"expected an event type, or None, for each of {len(values)} records, got {len(types)}"
            raise ValueError(message)
        out = Decoded()
        for name, rows in _by_type(types).items():
            chosen = values if len(rows) == len(values) else [values[row] for row in rows]
            self._decode_type(name, rows, chosen, out)
        for dropped in out.dropped.values():
            dropped.sort()
        return out

    def _decode_type(self, name: str | None, rows: list[int], values: Sequence[bytes | None], out: Decoded) -> None:
        each = None if name is None else self._types.get(name)
        if each is None:
            self._decode_undeclared(name, rows, values, out)
            return
        packed = pack(values)
        slow = suspects(packed, times=each.has_times)
        events = decode_pass(each.decoder, packed, slow)
        good = rows
        if slow:
            good = [row for at, row in enumerate(rows) if at not in slow]
            events = [event for at, event in enumerate(events) if at not in slow]
        if good:
            out.events[each.name] = each.normalised(good, events, out)
        for at in sorted(slow):
            self._resolve(each, rows[at], values[at], out)
        if slow:
            out.sort(each.name)

    def _resolve(self, each: DeclaredType, index: int, value: bytes | None, out: Decoded) -> None:
        if value is None:
            out.drop(TOMBSTONE, index)
            return
        try:
            check_nesting(value)
            out.add(each.name, index, each.decode(value))
        except FAILURES as error:
            out.rejects.append(Reject(index, "decode", reason_of(error), decode_error(error), each.name))

    def _decode_undeclared(
        self, name: str | None, rows: list[int], values: Sequence[bytes | None], out: Decoded
    ) -> None:
        refused = _refused(name)
        for index, value in zip(rows, values, strict=True):
            if value is None:
                out.drop(TOMBSTONE, index)
            elif refused is not None:
                out.rejects.append(Reject(index, "decode", *refused))
            else:
                self._drop_well_formed(index, value, out)

    def _drop_well_formed(self, index: int, value: bytes, out: Decoded) -> None:
        try:
            check_nesting(value)
            self._decode_any(value)
            out.drop(UNROUTED, index)
        except FAILURES as error:
            out.rejects.append(Reject(index, "decode", reason_of(error), decode_error(error)))


def _by_type(types: Sequence[str | None]) -> dict[str | None, list[int]]:
    if types and types.count(types[0]) == len(types):
        return {types[0]: list(range(len(types)))}
    rows: dict[str | None, list[int]] = {}
    for row, name in enumerate(types):
        rows.setdefault(name, []).append(row)
    return rows


def _refused(name: Any) -> tuple[str, str] | None:
    """Reason and error where this names no event type at all; bytes that are no text arrive as lone surrogates."""
    if name is None:
        return "no_tag", _NO_TYPE
    try:
        name.encode()
    except UnicodeEncodeError:
        return "encoding", _NOT_TEXT
    return None
