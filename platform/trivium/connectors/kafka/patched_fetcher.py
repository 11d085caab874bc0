"""kafka-python's fetcher with another reading of a response: columns instead of one object a record.

The fetcher looks the class PartitionRecords up on itself, so an instance of it can be given another. Everything around
it stays the client's: connections, fetch sessions, leader epochs, truncation checks, positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.partition import from_client
from trivium.connectors.kafka.wire.batches import PartitionBatches, ReadOptions


@dataclass
class Budget:
    """Bytes that the poll under way may still decode."""

    nbytes: int = 0


class PartitionRecords:
    """Stands in for kafka-python's class of that name: `take` gives at most one Fetched, and a falsy one is used up."""

    def __init__(
        self,
        reading: ReadOptions,
        budget: Budget,
        fetch_offset: int,
        topic_partition: Any,
        records: Any,
        **options: Any,
    ) -> None:
        aborted = [(each.producer_id, each.first_offset) for each in options["aborted_transactions"] or ()]
        self.topic_partition, self.fetch_offset = topic_partition, fetch_offset
        self.bytes_read = records.size_in_bytes()
        self._budget, self._on_drain = budget, options["on_drain"]
        data = records._buffer  # noqa: SLF001
        self._batches: PartitionBatches | None = PartitionBatches(
            from_client(topic_partition), data, fetch_offset, aborted, reading
        )
        self.next_fetch_offset, self.leader_epoch = fetch_offset, -1

    def __bool__(self) -> bool:
        """Return whether anything may be left."""
        return self._batches is not None

    @property
    def remaining_bytes(self) -> int:
        """Bytes of the response not handed out yet."""
        return self._batches.remaining_bytes if self._batches is not None else 0

    def take(self, most: int) -> list[Fetched]:
        """Return the next batches as one Fetched; `next_fetch_offset` is behind them on return, and only then."""
        if not self._batches:
            self.drain()
            return []
        fetched = self._batches.read(self._budget.nbytes)
        self.next_fetch_offset, self.leader_epoch = self._batches.position, self._batches.epoch
        if not self._batches:
            self.drain()
        return [fetched]

    def drain(self) -> None:
        """Forget what is left."""
        if self._batches is not None:
            self._batches = None
            self._on_drain(self)
