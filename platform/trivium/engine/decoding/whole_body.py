"""A whole request body decoded in one pass, where none of its events needs a second look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Union

import msgspec

from trivium.engine.decoding.decoded import DeclaredType, Decoded
from trivium.engine.decoding.record_checks import FAILURES, may_have_long_fraction
from trivium.engine.decoding.tagged import TaggedRecords
from trivium.types.nesting import MAX_NESTING

_UNREADABLE: Final = (*FAILURES, TypeError)
_Decode = Callable[[bytes], Any]


class WholeBody:
    """Decodes one event or a JSON list of events with one call, by the structs of the record decoder."""

    def __init__(self, types: Mapping[str, DeclaredType], tagged: TaggedRecords | None) -> None:
        self._types, self._tagged = types, tagged
        self._named = {name: _one_or_more([each.struct]) for name, each in types.items()}
        self._by_tag: _Decode | None = None if tagged is None else _one_or_more(tagged.structs)
        self._has_times = any(each.has_times for each in types.values())

    def decode(self, body: bytes, event_type: str | None, most: int) -> tuple[int, Decoded] | None:
        """Return the number of events and what became of each; None where one needs a second look.

        `event_type` names the type of all of them, None: a field of each does. `most` bounds their number.
        """
        decode = self._by_tag if event_type is None else self._named.get(event_type)
        if decode is None or (self._has_times and may_have_long_fraction(body)):
            return None
        try:
            events = decode(body)
        except _UNREADABLE:
            return None
        if type(events) is not list:
            events = [events]
        count = len(events)
        # Every event has a bracket of its own, so what is left is more than any one of them can nest.
        if count > most or body.count(b"{") + body.count(b"[") - count >= MAX_NESTING:
            return None
        out = Decoded()
        if event_type is None:
            assert self._tagged is not None
            self._tagged.sort(events, out)
        elif events:
            out.events[event_type] = self._types[event_type].normalised(list(range(count)), events, out)
        return count, out


def _one_or_more(structs: Sequence[Any]) -> _Decode:
    event: Any = Union.__getitem__(tuple(structs))
    return msgspec.json.Decoder(event | list.__class_getitem__(event)).decode
