"""Query 14 in the column form: Arrow's kernels over whole batches."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.q14.bid import Bid, BidOptions, PricedBid
from trivium import Executor


class BidExecutor(Executor[Bid, PricedBid]):
    """Keeps bids of a price, in euros, with the time of day they were made."""

    Options = BidOptions

    def process_batch(self, events: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """One row a bid within the bounds."""
        options = self.options
        price = pc.multiply(events["price"].cast(pa.float64()), options.rate)
        within = pc.and_(pc.greater(price, options.more_than), pc.less(price, options.less_than))
        kept = pc.indices_nonzero(within)
        times = events["date_time"].take(kept).cast(pa.timestamp("ms", "UTC"))
        extra = events["extra"].take(kept)
        columns = {
            "event_id": events["event_id"].take(kept),
            "event_time": times.cast(pa.timestamp("us", "UTC")),
            "auction": events["auction"].take(kept),
            "bidder": events["bidder"].take(kept),
            "price": price.take(kept),
            "bid_time_type": time_types(pc.hour(times)),
            "extra": extra,
            "c_counts": pc.count_substring(extra, "c").cast(pa.int64()),
        }
        return pa.RecordBatch.from_pydict(columns), kept.cast(pa.int32())


def time_types(hours: pa.Array) -> pa.Array:
    """NEXMark's words for hours of the day (0 to 23)."""
    day = pc.and_(pc.greater_equal(hours, 8), pc.less_equal(hours, 18))
    night = pc.or_(pc.less_equal(hours, 6), pc.greater_equal(hours, 20))
    return pc.if_else(day, "dayTime", pc.if_else(night, "nightTime", "otherTime"))
