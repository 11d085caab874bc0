"""A request's body taken apart into the JSON text of each event, which the engine's decoder then judges alone."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from trivium.contract.errors import TriviumError
from trivium.engine.record_checks import FAILURES

_LIST: Final = re.compile(rb"[ \t\r\n]*\[")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|,', re.DOTALL)
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
    except RecursionError:
        values = _split_deep(body)
    except FAILURES as error:
        message = f"the body starts as a list of events and cannot be taken apart: {error}"
        raise MalformedBody(message) from error
    if len(values) > max_events:
        raise TooManyEvents(len(values), max_events)
    return values


def _split_deep(body: bytes) -> list[bytes]:
    """The items of a list with items nested so deep that the decoder gives up; only brackets are looked at."""
    depth, start = 0, body.index(b"[") + 1
    values: list[bytes] = []
    for token in _TOKEN.finditer(body):
        first = token.group()[:1]
        depth += (first in b"{[") - (first in b"}]")
        if (first == b"," and depth == 1) or depth == 0:
            values.append(body[start : token.start()])
            start = token.end()
        if depth == 0:
            break
    if depth or not _EMPTY.fullmatch(body, start):
        message = "the body starts as a list of events and its brackets do not close"
        raise MalformedBody(message)
    return values
