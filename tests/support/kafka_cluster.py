"""Reading a real broker in tests: sources, readers that end, and everything up to the end of the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.connectors.kafka.fetched import Fetched, join
from trivium.connectors.kafka.reader import KafkaReader
from trivium.core.clock import SystemClock

CLOCK = SystemClock()


def source(servers: str, *topics: str, **options: Any) -> KafkaSource:
    """A Kafka source of the pipeline file."""
    return KafkaSource.model_validate({"type": "kafka", "servers": servers, "topics": topics, **options})


@contextmanager
def reading(
    source: KafkaSource, positions: Mapping[str, int], header: str | None = None, **options: Any
) -> Iterator[KafkaReader]:
    """A reader with its partitions assigned."""
    reader = KafkaReader(source, options.pop("password", None), CLOCK, header, **options)
    try:
        reader.assign(positions)
        yield reader
    finally:
        reader.close()


@contextmanager
def log_of(source: KafkaSource, password: str | None = None) -> Iterator[KafkaLog]:
    """The driver's view."""
    log = KafkaLog(source, password, CLOCK)
    try:
        yield log
    finally:
        log.close()


def read_to(
    reader: KafkaReader, positions: Mapping[str, int], ends: Mapping[str, int], max_bytes: int = 1 << 20
) -> dict[str, Fetched]:
    """What lies between, each partition as one piece; fails on a gap, or when it takes more than 30 s."""
    reached, found = dict(positions), dict[str, Fetched]()
    give_up = time.monotonic() + 30
    while any(reached[name] < end for name, end in ends.items()):
        assert time.monotonic() < give_up, f"at {reached} of {ends}"
        for piece in reader.poll(0.5, max_bytes):
            assert piece.start == reached[piece.partition]
            reached[piece.partition] = piece.next
            before = found.get(piece.partition)
            found[piece.partition] = piece if before is None else join(before, piece)
    assert reached == dict(ends)
    return found


def poll_until_error(reader: KafkaReader, meanwhile: Callable[[KafkaReader], None] = lambda _: None) -> None:
    """Poll on for a minute; for use where an error is expected."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        meanwhile(reader)
        reader.poll(0.1, 1 << 20)


def read_all(source: KafkaSource, header: str | None = None, start: int | None = None) -> Fetched:
    """The whole log of the source's one partition, or from an offset on."""
    with log_of(source) as log:
        names = log.partitions()
        begin = log.beginning(names) if start is None else dict.fromkeys(names, start)
        ends = log.end(names)
    with reading(source, begin, header) as reader:
        (piece,) = read_to(reader, begin, ends).values()
    return piece


def produce(servers: str, topic: str, values: list[bytes | None], **config: Any) -> None:
    """Write them to partition 0 with librdkafka, in batches as large as they get."""
    settings = {"bootstrap.servers": servers, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000}
    producer = Producer(settings | {name.replace("_", "."): value for name, value in config.items()})
    for value in values:
        producer.produce(topic, value, partition=0)
        producer.poll(0)
    assert producer.flush(60) == 0
