"""The way of requests whose events are all plain: one decoder call for the body, one pass of each executor, one check.

Whatever is not plain (a record the decoder refuses, a doubtful time, an executor that raises, a row that needs a second
look) sends the whole request the worker's way, which has the rules, the retries and the reasons. Executors may then see
an event twice; they are functions of their event, so nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress, count
from types import NoneType
from typing import Any, Final, Union

import msgspec

from trivium.contract.declaration import Declaration
from trivium.core.interrupts import is_interrupt
from trivium.engine.decoding.record_checks import FAILURES, MAX_NESTING, may_have_long_fraction
from trivium.engine.requests.answer import EventAnswer
from trivium.engine.requests.row_json import RowJson
from trivium.types.decoder_types import derive
from trivium.types.normalise import Normaliser, contains_time

_UNREADABLE: Final = (*FAILURES, TypeError)
Results = Callable[[Sequence[Any]], list[Any]]


class QuickType:
    """One event type whose executor takes events one by one and alone: `results` calls it on some."""

    def __init__(self, declaration: Declaration, results: Results, rows: RowJson) -> None:
        self.declaration, self._results, self._rows = declaration, results, rows
        self._normaliser = Normaliser(declaration.event_fields)
        self._returned = {declaration.row, NoneType}
        self._dropped = EventAnswer("dropped", declaration.event_type)

    def answers(self, events: Sequence[Any]) -> list[EventAnswer] | None:
        """The answer to each event, or None when one is not plain."""
        try:
            for at in self._normaliser.suspects(events) if self._normaliser else ():
                self._normaliser(events[at])
            results = self._results(events)
        except BaseException as error:
            if is_interrupt(error):
                raise
            return None
        # A StopIteration of the executor ends the calls without a word.
        if len(results) < len(events) or not self._returned.issuperset(map(type, results)):
            return None
        places = list(compress(count(), [row is not None for row in results]))
        made = self._rows.written([results[at] for at in places], places)
        if made is None:
            return None
        answers = [self._dropped] * len(events)
        for at, row in zip(places, made, strict=True):
            answers[at] = EventAnswer("emitted", self._dropped.event_type, [row])
        return answers


class QuickRequests:
    """Answers bodies of plain events of the types given; every other body is not for it."""

    def __init__(self, types: Mapping[str, QuickType], tag_field: str | None) -> None:
        self._named = {name: _decoder([_event(each, None)]) for name, each in types.items()}
        self._by_name = types
        self._by_struct = {_event(each, tag_field): each for each in types.values()} if tag_field else {}
        # A second member keeps msgspec from accepting a record without a tag when one type is declared alone.
        other = msgspec.defstruct("Undeclared", [], tag="\0", tag_field=tag_field)
        self._tagged = _decoder([other, *self._by_struct]) if self._by_struct else None
        fields = [spec for each in types.values() for spec in each.declaration.event_fields]
        self._times = any(contains_time(spec.type) for spec in fields)

    def answers(self, body: bytes, event_type: str | None, max_events: int) -> list[EventAnswer] | None:
        """The answer to each event, or None when one is not plain."""
        decode = self._tagged if event_type is None else self._named.get(event_type)
        if decode is None or body.count(b"{") + body.count(b"[") > MAX_NESTING:
            return None
        if self._times and may_have_long_fraction(body):
            return None
        try:
            events = decode(body)
        except _UNREADABLE:
            return None
        if not isinstance(events, list):
            events = [events]
        if len(events) > max_events:
            return None
        if event_type is not None:
            return self._by_name[event_type].answers(events)
        return self._sorted(events)

    def _sorted(self, events: list[Any]) -> list[EventAnswer] | None:
        kinds = set(map(type, events))
        if not kinds <= self._by_struct.keys():
            return None
        if len(kinds) == 1:
            return self._by_struct[kinds.pop()].answers(events)
        answers: list[Any] = [None] * len(events)
        for kind in kinds:
            places = [at for at, event in enumerate(events) if type(event) is kind]
            some = self._by_struct[kind].answers([events[at] for at in places])
            if some is None:
                return None
            for at, answer in zip(places, some, strict=True):
                answers[at] = answer
        return answers


def _event(each: QuickType, tag_field: str | None) -> Any:
    return derive(each.declaration.event, each.declaration.event_fields, tag_field=tag_field)


def _decoder(structs: list[Any]) -> Callable[[bytes], Any]:
    """Decodes one event, or a list of them."""
    event: Any = Union.__getitem__(tuple(structs))
    return msgspec.json.Decoder(event | list.__class_getitem__(event)).decode
