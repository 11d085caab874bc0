"""Query 14 behind HTTP as one would write it by hand: bytes in, msgspec, bytes out; nothing of trivium's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from benchmarks.q14.bid import BidOptions
from benchmarks.q14.row.executors.bid.executor import time_type

_OPTIONS = BidOptions()
_RATE, _MORE, _LESS = _OPTIONS.rate, _OPTIONS.more_than, _OPTIONS.less_than


class Bid(msgspec.Struct, gc=False):
    """The fields the query reads, validated."""

    event_id: str
    auction: int
    bidder: int
    price: int
    extra: str
    dateTime: int


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """The outcome of one bid."""

    outcome: str
    event_type: str | None = None
    rows: list[Any] = []


class Row(msgspec.Struct, gc=False):
    """A bid whose price is within the bounds."""

    event_id: str
    event_time: datetime
    auction: int
    bidder: int
    price: float
    bid_time_type: str
    extra: str
    c_counts: int


class Answers(msgspec.Struct, gc=False):
    """A response."""

    events: list[Answer]


_decode = msgspec.json.Decoder(Bid | list[Bid]).decode
_encode = msgspec.json.Encoder().encode


def respond(body: bytes) -> bytes:
    """The response to a request of one bid or a list of them."""
    bids = _decode(body)
    return _encode(Answers([_answer(bid) for bid in bids] if isinstance(bids, list) else [_answer(bids)]))


def _answer(bid: Bid) -> Answer:
    price = _RATE * bid.price
    if not _MORE < price < _LESS:
        return Answer("dropped", "bid")
    row = Row(
        bid.event_id,
        datetime.fromtimestamp(bid.dateTime / 1000, UTC),
        bid.auction,
        bid.bidder,
        price,
        time_type(bid.dateTime // 3_600_000 % 24),
        bid.extra,
        bid.extra.count("c"),
    )
    return Answer("emitted", "bid", [row])


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI app around it; what a request beyond this benchmark's would need is left out."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = respond(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
