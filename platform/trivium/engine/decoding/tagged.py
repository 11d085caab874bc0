"""JSON records that name their event type in one of their fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from operator import countOf
from typing import Any, Union

import msgspec
import numpy as np

from trivium.core.error_text import decode_error, shown
from trivium.engine.decoding.decoded import DeclaredType, Decoded, decode_pass, suspects
from trivium.engine.decoding.packed_values import pack
from trivium.engine.decoding.record_checks import FAILURES, check_nesting, reason_of
from trivium.engine.outcomes import TOMBSTONE, UNROUTED, Reject


class TaggedRecords:
    """Decodes and routes raw records by one field of theirs.

    The fast path is one msgspec call on a tagged union. A record it refuses is looked at again with the tag alone:
    an undeclared type is unrouted, a repeated tag counts by its last value, everything else is a reject with its
    reason.
    """

    def __init__(self, types: Mapping[str, DeclaredType], tag_field: str) -> None:
        self._types = types
        self._by_struct = {each.tagged_struct(tag_field): each for each in types.values()}
        # A second member keeps msgspec from accepting a record without a tag when one type is declared alone.
        other = msgspec.defstruct("Undeclared", [], tag="\0", tag_field=tag_field)
        self._other = other
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union.__getitem__((other, *self._by_struct)))
        head = msgspec.defstruct("Head", [("tag", msgspec.Raw, msgspec.UNSET)], rename={"tag": tag_field})
        self._decode_head: Callable[[bytes], Any] = msgspec.json.Decoder(head).decode
        self._tag_field = tag_field
        self._has_times = any(each.has_times for each in self._types.values())

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Decode every record; each ends in exactly one place of the answer."""
        out, packed = Decoded(), pack(values)
        slow = suspects(packed, times=self._has_times)
        self.sort(decode_pass(self._decoder, packed, slow), out)
        for index in sorted(slow):
            self._resolve(index, packed[index], out)
        for event_type in out.events if slow else ():
            out.sort(event_type)
        return out

    @property
    def structs(self) -> list[Any]:
        """The structs a record may be decoded as; the first stands for every undeclared type."""
        return [self._other, *self._by_struct]

    def sort(self, events: list[Any], out: Decoded) -> None:
        """Put decoded events under their types, and those of undeclared types under the dropped ones."""
        for struct, (rows, chosen) in _grouped(events).items():
            each = self._by_struct.get(struct)
            if each is not None:
                out.events[each.name] = each.normalised(rows, chosen, out)
            elif struct is self._other:
                out.dropped[UNROUTED] = rows

    def _resolve(self, index: int, value: bytes | None, out: Decoded) -> None:
        """Find the answer for one record the fast path did not take."""
        if value is None:
            out.drop(TOMBSTONE, index)
            return
        event_type: str | None = None
        try:
            check_nesting(value)
            tag = self._tag_of(value)
            if not isinstance(tag, str):
                out.rejects.append(Reject(index, "decode", "no_tag", self._no_tag(tag)))
                return
            each = self._types.get(tag)
            if each is None:
                out.drop(UNROUTED, index)
                return
            event_type = tag
            out.add(tag, index, each.decode(value))
        except FAILURES as error:
            out.rejects.append(Reject(index, "decode", reason_of(error), decode_error(error), event_type))

    def _tag_of(self, value: bytes) -> Any:
        """Return the last value of the routed field, UNSET where there is none; earlier ones are not looked at."""
        tag = self._decode_head(value).tag
        return tag if tag is msgspec.UNSET else msgspec.json.decode(tag)

    def _no_tag(self, tag: Any) -> str:
        got = "nothing" if tag is msgspec.UNSET else shown(tag)
        return f"expected the event type as a string in {self._tag_field!r}, got {got}"


def _grouped(events: list[Any]) -> dict[Any, tuple[list[int], list[Any]]]:
    """Return the events by their class, each with its place in the list."""
    kinds = list(map(type, events))
    if events and countOf(kinds, kinds[0]) == len(events):
        return {kinds[0]: (list(range(len(events))), events)}
    codes: defaultdict[Any, int] = defaultdict(count().__next__)
    coded = np.fromiter(map(codes.__getitem__, kinds), np.int16, len(kinds))
    order = np.argsort(coded, kind="stable")
    ends = np.cumsum(np.bincount(coded, minlength=len(codes))).tolist()
    rows = order.tolist()
    chosen = list(map(events.__getitem__, rows))
    return {
        kind: (rows[start:end], chosen[start:end]) for kind, start, end in zip(codes, [0, *ends], ends, strict=False)
    }
