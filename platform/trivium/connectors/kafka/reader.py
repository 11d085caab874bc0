"""A worker's view of Kafka: partitions it was given, read on from given positions, as columns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.connection import Connection
from trivium.connectors.kafka.fetched import Fetched, join
from trivium.connectors.kafka.wire.batches import ReadOptions
from trivium.core.clock import Clock, Deadline
from trivium.core.errors import SourceError

_log = logging.getLogger(__name__)
_WARN_EVERY_SECONDS: Final = 10.0


class KafkaReader:
    """Reads the partitions it is assigned, each without a gap. One thread's; not safe to share.

    A broker that goes away is waited for: `poll` gives nothing, a warning names the servers, and reading goes on when
    it is back. Whatever cannot heal by waiting ends the reader: its connection is closed, and each `poll` from then on
    raises that one error. `stall_seconds` is how long a silence may last, with records waiting in the log, until the
    connection is made anew; `reconnects` counts those.
    """

    def __init__(
        self,
        source: KafkaSource,
        password: str | None,
        clock: Clock,
        header: str | None = None,
        *,
        stall_seconds: float = 30.0,
    ) -> None:
        """Take the routing header whose values `poll` hands out. Nothing is connected before `assign`."""
        reading = ReadOptions(
            max_batch_bytes=source.max_batch_bytes,
            header=None if header is None else header.encode(),
            read_committed=source.isolation == "read_committed",
        )
        self._source, self._clock = source, clock
        self._connection = Connection(source, password, reading, clock, stall_seconds)
        self._failure: SourceError | None = None
        self._warned_at: float | None = None

    @property
    def reconnects(self) -> int:
        """Number of times a silent connection was made anew."""
        return self._connection.reconnects

    def assign(self, positions: Mapping[str, int]) -> None:
        """Read these partitions from these offsets on; everything fetched so far is forgotten.

        Raises:
            SourceError: if no broker answers within the source's time-out, or access is refused.
        """
        self._failure = None
        self._connection.open(positions)

    def poll(self, timeout_seconds: float, max_bytes: int) -> list[Fetched]:
        """Return what is there, up to about `max_bytes` (at least a batch); wait up to the time-out for a first.

        Each partition's pieces follow one another without a gap. Empty if nothing came.

        Raises:
            SourceError: records cannot be read on; the same error again at each later call.
        """
        if self._failure is not None:
            raise self._failure
        deadline = Deadline.after(self._clock, timeout_seconds)
        pieces: list[Fetched] = []
        try:
            self._collect(pieces, deadline, max_bytes)
        except SourceError as error:
            self._failure = error
            self._connection.close()
            if not pieces:
                raise
        if not pieces and self._failure is None:
            self._warn_if_away()
        return pieces

    def buffered_bytes(self) -> int:
        """Return the bytes fetched, parked or arriving, and not handed out yet."""
        return self._connection.buffered_bytes()

    def close(self) -> None:
        """Let go of the connection; idempotent."""
        self._connection.close()

    def _collect(self, pieces: list[Fetched], deadline: Deadline, max_bytes: int) -> None:
        left = max_bytes
        while left > 0:
            wait = 0.0 if pieces else deadline.remaining()
            piece = self._connection.poll(wait, left)
            if piece is None:
                return
            left -= max(1, piece.nbytes)
            if pieces and pieces[-1].partition == piece.partition:
                pieces[-1] = join(pieces[-1], piece)
            else:
                pieces.append(piece)

    def _warn_if_away(self) -> None:
        now = self._clock.monotonic()
        if self._connection.away() and (self._warned_at is None or now - self._warned_at >= _WARN_EVERY_SECONDS):
            self._warned_at = now
            _log.warning("no Kafka broker of %s is connected; waiting for one", self._source.servers)
