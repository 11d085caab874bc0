"""The connection of a reader: made anew when it falls silent, its positions followed piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Final, TypeVar

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.consumer import ColumnarConsumer
from trivium.connectors.kafka.errors import KafkaPositionError, KafkaStalledError, KafkaUnavailableError
from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.wire.batches import ReadOptions
from trivium.core.clock import Clock, Deadline
from trivium.core.errors import SourceError

_log = logging.getLogger(__name__)
_ASK_SECONDS: Final = 5.0
_FRUITLESS_MOST: Final = 5
Answer = TypeVar("Answer")


class Connection:
    """Reads given partitions through one consumer after another.

    When nothing came for `stall_seconds`, the log's end is requested in the background. If records are waiting there,
    or no answer comes, the consumer is replaced, also in the background; `reconnects` counts it. Positions stay.
    """

    def __init__(
        self, source: KafkaSource, password: str | None, reading: ReadOptions, clock: Clock, stall_seconds: float
    ) -> None:
        self.reconnects = 0
        self._source, self._password, self._reading = source, password, reading
        self._clock, self._stall_seconds = clock, stall_seconds
        self._positions: dict[str, int] = {}
        self._consumer: ColumnarConsumer | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._connecting: Future[ColumnarConsumer] | None = None
        self._asking: Future[dict[str, int]] | None = None
        self._fruitless, self._heard_at = 0, 0.0

    def open(self, positions: Mapping[str, int]) -> None:
        """Connect and read these partitions; the last ones are forgotten.

        Raises:
            SourceError: as `ColumnarConsumer` does.
        """
        _prepare()
        self.close()
        self._positions, self._fruitless, self._heard_at = dict(positions), 0, self._clock.monotonic()
        if positions:
            self._consumer = self._connect()

    def poll(self, seconds: float, max_bytes: int) -> Fetched | None:
        """Return the next piece; None if nothing came in time.

        Raises:
            SourceError: reading cannot go on.
        """
        deadline = Deadline.after(self._clock, seconds)
        consumer = self._ready(seconds)
        if consumer is None:
            return None
        piece = consumer.poll(deadline.remaining(), max_bytes)
        if piece is None:
            self._watch(consumer)
            return None
        expected = self._positions[piece.partition]
        if piece.start != expected:
            raise KafkaPositionError(
                f"{piece.partition}: offset {expected} was next and the client went on at {piece.start}; "
                "restart from the committed positions"
            )
        self._positions[piece.partition] = piece.next
        self._fruitless, self._heard_at = 0, self._clock.monotonic()
        return piece

    def away(self) -> bool:
        """Return whether no broker is connected though partitions are to be read."""
        return bool(self._positions) and (self._consumer is None or not self._consumer.connected())

    def buffered_bytes(self) -> int:
        """Return the bytes fetched or arriving and not handed out."""
        return self._consumer.buffered_bytes() if self._consumer is not None else 0

    def close(self) -> None:
        """Let go of consumer and threads; what is still being connected is closed as soon as it is there."""
        if self._connecting is not None:
            self._connecting.add_done_callback(_close_late)
        if self._consumer is not None:
            self._consumer.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
        self._consumer = self._connecting = self._asking = self._threads = None
        self._positions = {}

    def _connect(self) -> ColumnarConsumer:
        return ColumnarConsumer(self._source, self._password, self._reading, self._positions)

    def _ready(self, seconds: float) -> ColumnarConsumer | None:
        if self._connecting is None:
            if self._consumer is None:
                self._clock.sleep(seconds)
            return self._consumer
        try:
            self._consumer = self._connecting.result(seconds)
            self._connecting, self._heard_at = None, self._clock.monotonic()
        except NotYet:
            return None
        except KafkaUnavailableError:
            self._connecting = self._in_background(self._connect)
        return self._consumer

    def _watch(self, consumer: ColumnarConsumer) -> None:
        if self._asking is None:
            if self._clock.monotonic() - self._heard_at >= self._stall_seconds:
                self._asking = self._in_background(lambda: consumer.ends(_ASK_SECONDS))
            return
        if not self._asking.done():
            return
        ends, self._asking = self._asking, None
        self._heard_at = self._clock.monotonic()
        waiting = self._waiting(ends)
        if ends.exception() is not None or waiting:
            self._reconnect(consumer, waiting)

    def _waiting(self, ends: Future[dict[str, int]]) -> dict[str, int]:
        if ends.exception() is not None:
            return {}
        return {name: end for name, end in ends.result().items() if end > self._positions[name]}

    def _reconnect(self, consumer: ColumnarConsumer, waiting: Mapping[str, int]) -> None:
        places = ", ".join(f"{name} (position {self._positions[name]}, log end {waiting[name]})" for name in waiting)
        self._fruitless += bool(waiting)
        if self._fruitless > _FRUITLESS_MOST:
            raise KafkaStalledError(
                f"{self._source.servers} delivers nothing although records are there: {places}. {_FRUITLESS_MOST} "
                "fresh connections changed nothing; look at the broker's log, and at batches larger than "
                f"source.max_batch_bytes ({self._source.max_batch_bytes})"
            )
        why = f"records are waiting: {places}" if waiting else "the brokers do not answer"
        _log.warning(
            "nothing came from %s for %g s and %s; connecting anew", self._source.servers, self._stall_seconds, why
        )
        self.reconnects += 1
        consumer.close()
        self._consumer, self._connecting = None, self._in_background(self._connect)

    def _in_background(self, work: Callable[[], Answer]) -> Future[Answer]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="kafka-connection")
        return self._threads.submit(work)


def _prepare() -> None:
    """Load and compile before anything is fetched, so that no poll takes seconds for it."""
    try:
        import crc32c  # noqa: F401

        from trivium.connectors.kafka.wire import kernels as kafka_kernels
    except ImportError as error:
        raise SourceError(f"reading Kafka needs the package {error.name}; install trivium[streaming]") from error
    kafka_kernels.warm_up()


def _close_late(connecting: Future[ColumnarConsumer]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
