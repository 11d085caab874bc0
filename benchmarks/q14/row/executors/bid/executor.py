"""Query 14 in the row form: one Python call a bid."""

from __future__ import annotations

from datetime import UTC, datetime

from benchmarks.q14.bid import Bid, BidOptions, PricedBid
from trivium import Executor


class BidExecutor(Executor[Bid, PricedBid]):
    """Keeps bids of a price, in euros, with the time of day they were made."""

    Options = BidOptions

    def process(self, event: Bid) -> PricedBid | None:
        """One row a bid within the bounds."""
        options = self.options
        price = options.rate * event.price
        if not options.more_than < price < options.less_than:
            return None
        return PricedBid(
            event_id=event.event_id,
            event_time=datetime.fromtimestamp(event.date_time / 1000, UTC),
            auction=event.auction,
            bidder=event.bidder,
            price=price,
            bid_time_type=time_type(event.date_time // 3_600_000 % 24),
            extra=event.extra,
            c_counts=event.extra.count("c"),
        )


def time_type(hour: int) -> str:
    """NEXMark's word for an hour of the day (0 to 23)."""
    if 8 <= hour <= 18:
        return "dayTime"
    return "nightTime" if hour <= 6 or hour >= 20 else "otherTime"
