"""Chunks a reader hands out: the values of one partition as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trivium.engine.decoding.packed_values import PackedValues, concatenate

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fetched:
    """Values of the offsets [`start`, `next`) of a partition, without a gap to what was handed out before.

    `timestamps` are milliseconds since 1970 UTC, the producer's or the broker's as the topic says. `headers` is the
    value of the routing header of each record (the last one of that name; None without one), or None when no header
    routes. There may be no record at all: transaction markers move positions too.
    """

    partition: str
    start: int
    next: int
    offsets: Int64s
    timestamps: Int64s
    values: PackedValues
    headers: list[bytes | None] | None

    @property
    def nbytes(self) -> int:
        """Bytes of values."""
        return self.values.nbytes

    @property
    def holes(self) -> int:
        """Offsets of the range that hold no record to read: compacted away, transaction markers, aborted."""
        return self.next - self.start - len(self.offsets)

    def head(self, records: int) -> Fetched:
        """Return the first `records` of it (one or more); all of it if it holds no more."""
        if records >= len(self.offsets):
            return self
        return Fetched(
            partition=self.partition,
            start=self.start,
            next=int(self.offsets[records - 1]) + 1,
            offsets=self.offsets[:records],
            timestamps=self.timestamps[:records],
            values=self.values[:records],
            headers=None if self.headers is None else self.headers[:records],
        )


def join(first: Fetched, second: Fetched) -> Fetched:
    """Two neighbours of one partition as one."""
    return Fetched(
        partition=first.partition,
        start=first.start,
        next=second.next,
        offsets=np.concatenate([first.offsets, second.offsets]),
        timestamps=np.concatenate([first.timestamps, second.timestamps]),
        values=concatenate([first.values, second.values]),
        headers=None if first.headers is None else first.headers + (second.headers or []),
    )
