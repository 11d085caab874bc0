"""What both forms of the query read, write and can be told."""

from __future__ import annotations

from msgspec import field

from trivium import Event, ExecutorOptions, NormalizedEvent


class Bid(Event, tag="bid"):
    """A bid of NEXMark's generator; `date_time` is milliseconds since 1970 UTC."""

    event_id: str
    auction: int
    bidder: int
    price: int
    date_time: int = field(name="dateTime")
    extra: str


class PricedBid(NormalizedEvent):
    """A bid whose price in euros lies between the bounds; `c_counts` is how often `c` occurs in `extra`."""

    auction: int
    bidder: int
    price: float
    bid_time_type: str
    extra: str
    c_counts: int


class BidOptions(ExecutorOptions):
    """The exchange rate and the exclusive bounds of the converted price."""

    rate: float = 0.908
    more_than: float = 1_000_000
    less_than: float = 50_000_000
