"""kafka-python's consumer of fixed partitions, handing out columns.

This module, kafka_fetcher and kafka_transport are all that touches the private parts of the client; a test holds their
shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.client import open_client, translate
from trivium.connectors.kafka.errors import KafkaPositionError
from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.partition import from_client, to_client
from trivium.connectors.kafka.patched_fetcher import Budget, PartitionRecords
from trivium.connectors.kafka.wire.batches import ReadOptions
from trivium.core.errors import SourceError

_FETCH_WAIT_MS: Final = 500
_PARTITION_LEAST, _PARTITION_MOST = 256 << 10, 4 << 20
_FRAME_OVERHEAD: Final = 1 << 20
_RANGE_TIMEOUT_MS: Final = 5000


class ColumnarConsumer:
    """Reads its partitions on. It never chooses a position: each is given, or an error is raised."""

    def __init__(
        self, source: KafkaSource, password: str | None, reading: ReadOptions, positions: Mapping[str, int]
    ) -> None:
        """Connect. `positions`: the next offset to read of each partition to be read.

        Raises:
            SourceError: as `open_client` does.
        """
        from kafka import KafkaConsumer

        options: dict[str, Any] = {
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": source.isolation,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "fetch_max_wait_ms": _FETCH_WAIT_MS,
            "receive_message_max_bytes": source.fetch_bytes + source.max_batch_bytes + _FRAME_OVERHEAD,
        }
        self._source, self._budget = source, Budget()
        self._consumer = open_client(KafkaConsumer, source, password, **options)
        self._fetcher.PartitionRecords = partial(PartitionRecords, reading, self._budget)
        self._bound_fetches(len(positions))
        self._consumer.assign([to_client(partition) for partition in positions])
        for partition, offset in positions.items():
            self._consumer.seek(to_client(partition), offset)

    def poll(self, timeout_seconds: float, max_bytes: int) -> Fetched | None:
        """Return the next batches of one partition, or None if none came in time.

        Raises:
            SourceError: a batch cannot be read, a position is out of range, access was withdrawn.
        """
        from kafka.errors import KafkaError

        self._budget.nbytes = max_bytes
        try:
            polled = self._consumer.poll(timeout_ms=timeout_seconds * 1000, max_records=1)
        except KafkaError as error:
            raise self._explain(error) from error
        return next((each for chunk in polled.values() for each in chunk), None)

    def ends(self, timeout_seconds: float) -> dict[str, int]:
        """Return the log end of each partition (under read_committed the last stable offset).

        Raises:
            SourceError: if the brokers do not answer in time.
        """
        return self._ask(self._consumer.end_offsets, timeout_seconds)

    def connected(self) -> bool:
        """Return whether a connection to any broker is up."""
        return any(connection.connected for connection in self._connections())

    def buffered_bytes(self) -> int:
        """Return the bytes fetched and not handed out, and those of responses that are arriving."""
        fetcher = self._fetcher
        raw = [*fetcher._completed_fetches.copy(), *fetcher._paused_completed_fetches.values()]  # noqa: SLF001
        parsed = [fetcher._next_partition_records, *fetcher._paused_partition_records.values()]  # noqa: SLF001
        held: int = sum(len(each.partition_data.records or b"") for each in raw)
        held += sum(each.remaining_bytes for each in parsed if each is not None)
        return held + sum(map(_arriving, self._connections()))

    def close(self) -> None:
        """Let go of connections, thread and buffers."""
        self._consumer.close(autocommit=False, timeout_ms=0)

    @property
    def _fetcher(self) -> Any:
        return self._consumer._fetcher  # noqa: SLF001

    def _connections(self) -> Iterator[Any]:
        return iter(list(self._consumer._client._manager._conns.values()))  # noqa: SLF001

    def _bound_fetches(self, partitions: int) -> None:
        """Share out `fetch_bytes`: one partition being read, and from each broker a response and its copy.

        The fetcher asks anew only when nothing but the partition being read is left, so there is never more than that
        (a first batch larger than the bound aside, which Kafka sends all the same).
        """
        brokers = max(1, min(len(self._consumer._cluster.brokers()), partitions))  # noqa: SLF001
        response = self._source.fetch_bytes // (2 * brokers + 1)
        share = min(_PARTITION_MOST, max(_PARTITION_LEAST, response // max(1, partitions)))
        self._fetcher.config["fetch_max_bytes"] = response
        self._fetcher.config["max_partition_fetch_bytes"] = min(response, share)

    def _ask(self, question: Callable[..., Mapping[Any, int]], timeout_seconds: float) -> dict[str, int]:
        from kafka.errors import KafkaError

        try:
            answer = question(self._consumer.assignment(), timeout_ms=round(timeout_seconds * 1000))
        except KafkaError as error:
            raise translate(error, self._source, "asking for the end of the log") from error
        return {from_client(partition): offset for partition, offset in answer.items()}

    def _explain(self, error: Exception) -> SourceError:
        from kafka.errors import LogTruncationError, OffsetOutOfRangeError

        if isinstance(error, OffsetOutOfRangeError):
            return KafkaPositionError("; ".join(self._out_of_range(*pair) for pair in error.args[0].items()))
        if isinstance(error, LogTruncationError):
            return KafkaPositionError(
                "the log was cut back below what was read: a broker without the newest records became leader. "
                "Kafka gives the offsets up to which the logs agree: "
                + ", ".join(
                    f"{from_client(tp)} {at.offset if at else '?'}" for tp, at in error.divergent_offsets.items()
                )
                + ". Decide which records count, then reset the positions"
            )
        return translate(error, self._source, "reading")

    def _out_of_range(self, partition: Any, offset: int) -> str:
        from kafka.errors import KafkaError

        try:
            first = self._consumer.beginning_offsets([partition], timeout_ms=_RANGE_TIMEOUT_MS)[partition]
            last = self._consumer.end_offsets([partition], timeout_ms=_RANGE_TIMEOUT_MS)[partition]
        except KafkaError:
            return f"{from_client(partition)}: position {offset} is outside the log"
        return (
            f"{from_client(partition)}: position {offset} is outside the log, which holds offsets {first} to {last}. "
            "Either restore the records, or reset the position and count what is skipped"
        )


def _arriving(connection: Any) -> int:
    parser = connection.parser
    return len(parser._rbuffer or b"") if parser is not None else 0  # noqa: SLF001
