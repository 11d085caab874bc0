"""Plays the archive's log lines into a Kafka topic, as their producers did: day after day, as fast as it goes.

Run it from the repository: ``python -m jobs.produce_flights [SERVERS]``. A topic that holds all of them already is left
as it is; one that holds some is an error, because flights would be there twice.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.consumer import KafkaConsumer
from kafka.structs import TopicPartition

TOPIC = "flights"
PARTITIONS = 4


class ProductionError(Exception):
    """The topic is not one to produce the archive to."""


def lines(archive: Path) -> Iterator[bytes]:
    """Return the raw records of the archive, by day."""
    for path in sorted((archive / "raw").glob("day=*/*.parquet")):
        yield from ds.dataset(path).to_table(columns=["value"])["value"].to_pylist()


def ensure_topic(servers: str) -> int:
    """Make the topic if it is not there; how many records it has had."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        if TOPIC not in admin.list_topics():
            admin.create_topics(
                {TOPIC: {"num_partitions": PARTITIONS, "replication_factor": 1}},
                wait_for_metadata=True,  # pyright: ignore[reportCallIssue]
            )
    finally:
        admin.close()
    consumer = KafkaConsumer(bootstrap_servers=servers)
    try:
        ends = consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    finally:
        consumer.close()
    return sum(ends.values())


def produce(servers: str, archive: Path, expected: int) -> int:
    """Play the archive's `expected` records; how many were sent, which is none if they are all there.

    Raises:
        ProductionError: the topic holds some of them, or something else.
    """
    there = ensure_topic(servers)
    if there == expected:
        return 0
    if there:
        raise ProductionError(
            f"expected the topic {TOPIC} to be empty or to hold {expected:,} records, it holds {there:,}. "
            "Try: stop the broker (trivium kafka down) and remove .trivium/kafka and data/tables"
        )
    producer = KafkaProducer(
        bootstrap_servers=servers, compression_type="lz4", linger_ms=50, batch_size=1 << 18, max_block_ms=30_000
    )
    sent = 0
    try:
        for line in lines(archive):
            producer.send(TOPIC, value=line)
            sent += 1
        producer.flush()
    finally:
        producer.close()
    return sent


def main() -> None:
    """Produce to the servers given, by default those of `trivium kafka up`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="?", default="127.0.0.1:9092")
    parser.add_argument("--archive", type=Path, default=Path("data/flights"))
    arguments = parser.parse_args()
    expected = sum(1 for _ in lines(arguments.archive))
    print(f"{produce(arguments.servers, arguments.archive, expected):,} records to {TOPIC} on {arguments.servers}")


if __name__ == "__main__":
    main()
