"""A request's body taken apart into the JSON text of each event, which the engine's decoder then judges alone."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from trivium.contract.errors import TriviumError
from trivium.engine.record_checks import FAILURES

_LIST: Final = re.compile(rb"[ \t\r\n]*\[")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|,|"', re.DOTALL)
_EMPTY: Final = re.compile(rb"[ \t\r\n]*")
_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class MalformedBody(TriviumError):
    """A body that starts as a list of events and is none."""


class TooManyEvents(TriviumError):
    """More events than one request may hold."""

    def __init__(self, got: int, limit: int) -> None:
        super().__init__(got, limit)
        self.got, self.limit = got, limit

    def __str__(self) -> str:
        return (
            f"expected at most {self.limit} events in one request, got {self.got}. Try: send them in several requests"
        )


def events_of(body: bytes, max_events: int) -> list[bytes]:
    """The events of a body: those of a list, or the body itself as the only one, whatever it holds.

    Raises:
        MalformedBody: a list whose events cannot be told apart.
        TooManyEvents: a list of more than `max_events`.
    """
    if not _LIST.match(body):
        return [body]
    try:
        values = list(map(bytes, _split(body)))
    except FAILURES:
        values = _split_by_brackets(body)
    if len(values) > max_events:
        raise TooManyEvents(len(values), max_events)
    return values


def _split_by_brackets(body: bytes) -> list[bytes]:
    """The items of a list of which one is no JSON, or nested too deep: text between commas outside of all brackets.

    The bad item is found out when it is decoded alone.
    """
    depth, start = 0, body.index(b"[") + 1
    values: list[bytes] = []
    for token in _TOKEN.finditer(body):
        text = token.group()
        depth += (text in b"{[") - (text in b"}]")
        if text == b'"' or (depth == 0 and text == b"}"):
            break
        if depth == 0 or (depth == 1 and text == b","):
            values.append(body[start : token.start()])
            start = token.end()
        if depth == 0 and _EMPTY.fullmatch(body, start) and not any(map(_EMPTY.fullmatch, values)):
            return values
        if depth == 0:
            break
    message = (
        "the body starts as a list of events and cannot be taken apart: its brackets, quotes and commas do not match"
    )
    raise MalformedBody(message)
