"""A request's body taken apart into the JSON text of each event, which the engine's decoder then judges alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from trivium.core.errors import TriviumError
from trivium.engine.decoding.record_checks import FAILURES

_LIST: Final = re.compile(rb"[ \t\r\n]*\[")
_EMPTY: Final = re.compile(rb"[ \t\r\n]*")
_PIECE: Final = 1 << 16
_QUOTE, _COMMA, _BACKSLASH = b'",\\'
# "[" and "{" differ in one bit, and so do "]" and "}".
_CASE, _OPEN, _CLOSE = 0x20, ord("{"), ord("}")
_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class MalformedBody(TriviumError):
    """A body that starts as a list of events and is none."""


class TooManyEvents(TriviumError):
    """More events than one request may hold. `got` is None where counting ended at the limit."""

    def __init__(self, got: int | None, limit: int) -> None:
        super().__init__(got, limit)
        self.got, self.limit = got, limit

    def __str__(self) -> str:
        got = "more" if self.got is None else self.got
        return f"expected at most {self.limit} events in one request, got {got}. Try: send them in several requests"


def events_of(body: bytes, max_events: int) -> list[bytes]:
    """Return the events of a body: those of a list, or the body itself as the only one, whatever it holds.

    The time it takes grows with the body's length and no faster, whatever the bytes are.

    Raises:
        MalformedBody: a list whose events cannot be separated.
        TooManyEvents: a list of more than `max_events`.
    """
    if not _LIST.match(body):
        return [body]
    try:
        values = _split(body)
    except FAILURES:
        return _split_by_brackets(body, max_events)
    if len(values) > max_events:
        raise TooManyEvents(len(values), max_events)
    return list(map(bytes, values))


def _split_by_brackets(body: bytes, max_events: int) -> list[bytes]:
    """Return the items of a list of which one is no JSON, or nested too deep: text between its own commas.

    The bad item is found out when it is decoded alone.
    """
    first = body.index(b"[") + 1
    cuts = [first - 1]
    brackets = _Brackets()
    for start in range(first, len(body), _PIECE):
        piece = np.frombuffer(body, np.uint8, min(_PIECE, len(body) - start), start)
        commas, end = brackets.read(piece)
        cuts += (commas + start).tolist()
        if len(cuts) > max_events:
            _items(body, cuts[: max_events + 1])
            raise TooManyEvents(None, max_events)
        if end is not None:
            if body[start + end : start + end + 1] == b"}" or not _EMPTY.fullmatch(body, start + end + 1):
                break
            return _items(body, [*cuts, start + end])
    raise _malformed()


def _items(body: bytes, cuts: list[int]) -> list[bytes]:
    items = [body[one + 1 : other] for one, other in pairwise(cuts)]
    if any(map(_EMPTY.fullmatch, items)):
        raise _malformed()
    return items


def _malformed() -> MalformedBody:
    return MalformedBody(
        "the body starts as a list of events and cannot be taken apart: its brackets, quotes and commas do not match"
    )


@dataclass
class _Brackets:
    """The state of a list between two pieces of its text: levels open, backslashes before it, inside a string or not.

    A loop over the brackets would take a microsecond each; these are a handful of passes over each piece.
    """

    depth: int = 1
    backslashes: int = 0
    inside: int = 0

    def read(self, piece: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[Any], int | None]:
        """Return where the list's own commas are, and where its last bracket is, None if that lies beyond."""
        quotes = piece == _QUOTE
        if self.backslashes or (piece == _BACKSLASH).any():
            quotes &= ~self._escaped(piece)
        inside = (np.cumsum(quotes, dtype=np.int32) + self.inside) & 1
        outside = inside == 0
        folded = piece | _CASE
        steps = ((folded == _OPEN) & outside).astype(np.int8) - ((folded == _CLOSE) & outside).astype(np.int8)
        depth = np.cumsum(steps, dtype=np.int32) + self.depth
        closed = np.flatnonzero(depth == 0)
        end = int(closed[0]) if closed.size else None
        self.inside, self.depth = int(inside[-1]), int(depth[-1])
        commas = np.flatnonzero((piece == _COMMA) & outside & (depth == 1))
        return commas if end is None else commas[commas < end], end

    def _escaped(self, piece: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return which bytes an odd number of backslashes stands before."""
        places = np.arange(piece.size, dtype=np.int32)
        other = np.maximum.accumulate(np.where(piece == _BACKSLASH, -1, places))
        run = places - other
        run[other < 0] += self.backslashes
        before = np.concatenate(([self.backslashes], run[:-1]))
        self.backslashes = int(run[-1]) & 1
        odd: npt.NDArray[np.bool_] = (before & 1).astype(bool)
        return odd
