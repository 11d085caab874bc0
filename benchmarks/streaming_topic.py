"""Topics of NEXMark bids in the development broker: produced once, checked, and kept for the next benchmark."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka.errors import UnknownTopicOrPartitionError

from benchmarks.nexmark import Bids
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.broker.java import BrokerError

PARTITIONS: Final = 4
_CHUNK: Final = 10_000
_FLUSH_SECONDS: Final = 120.0


class TopicUnfinished(Exception):
    """A topic does not hold what was produced to it."""


@contextmanager
def broker_in(cache: Path) -> Iterator[DevBroker]:
    """The benchmark's broker, up; its data stays for the next time."""
    broker = DevBroker(cache / "kafka")
    try:
        broker.start()
    except BrokerError as error:
        sys.exit(f"Error: {error}")
    try:
        yield broker
    finally:
        broker.stop()


def bids_topic(broker: DevBroker, bids: Bids, rows: int) -> str:
    """The topic that holds these bids, one record each, lz4; produced unless it is there and whole.

    Raises:
        TopicUnfinished: the broker did not take all of them.
    """
    topic = f"{bids.raw.parent.name}-x{PARTITIONS}"
    if held(broker, topic) == rows:
        return topic
    remove(broker, topic)
    create(broker, topic)
    producer = lz4_producer(broker)
    for number, path in enumerate(sorted(bids.raw.glob("*.parquet"))):
        values = pq.read_table(path)["value"].to_pylist()
        for start in range(0, len(values), _CHUNK):
            _produce(producer, topic, (number + start // _CHUNK) % PARTITIONS, values[start : start + _CHUNK])
    producer.flush(_FLUSH_SECONDS)
    if (found := held(broker, topic)) != rows:
        raise TopicUnfinished(f"{topic}: expected {rows:,} records, got {found:,}. Try: again, with {broker.log_path}")
    return topic


def lz4_producer(broker: DevBroker) -> Producer:
    """A producer with librdkafka's batches, which are as large as 10,000 records, and a queue of a million."""
    queue = {"linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    return Producer({"bootstrap.servers": broker.servers, "compression.type": "lz4", **queue})


def _produce(producer: Producer, topic: str, partition: int, values: list[bytes]) -> None:
    for value in values:
        while True:
            try:
                producer.produce(topic, value, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
    producer.poll(0)


def create(broker: DevBroker, topic: str) -> None:
    """Make an empty topic that forgets nothing."""
    settings = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": {"retention.ms": "-1"}}
    with broker.admin() as admin:
        admin.create_topics({topic: settings}, wait_for_metadata=True)


def remove(broker: DevBroker, topic: str) -> None:
    """Remove a topic, if it is there."""
    with broker.admin() as admin:
        try:
            admin.delete_topics([topic])
        except UnknownTopicOrPartitionError:
            return
    # A topic of that name can only be made again once the old one is gone.
    client = AdminClient({"bootstrap.servers": broker.servers})
    while topic in client.list_topics(timeout=10).topics:
        pass


def held(broker: DevBroker, topic: str) -> int | None:
    """How many records a topic holds; None if there is no such topic."""
    return next((sum(each.ends) for each in broker.topics() if each.name == topic), None)


def partitions_of(topic: str) -> list[TopicPartition]:
    """A topic's partitions, from their beginning on."""
    return [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
