"""Plays the archive's records into Kafka: `python -m generator.produce [SERVERS] [--topic NAME]`."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

PARTITIONS = 4


def ensure_topic(servers: str, topic: str) -> None:
    """Make the topic if it is not there."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        if topic not in admin.list_topics():
            settings = {topic: {"num_partitions": PARTITIONS, "replication_factor": 1}}
            admin.create_topics(settings, wait_for_metadata=True)  # pyright: ignore[reportCallIssue]
    finally:
        admin.close()


def produce(data: Path, servers: str, topic: str) -> int:
    """Send all records, day after day; return how many there were."""
    ensure_topic(servers, topic)
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=20)
    sent = 0
    try:
        for path in sorted((data / "events").glob("day=*/*.parquet")):
            for value in pq.ParquetFile(path).read(columns=["value"])["value"].to_pylist():
                producer.send(topic, value=value)
                sent += 1
        producer.flush()
    finally:
        producer.close()
    return sent


def main() -> None:
    """Send to the servers given, by default those of `trivium kafka up`."""
    parser = argparse.ArgumentParser(prog="python -m generator.produce", description=__doc__)
    parser.add_argument("servers", nargs="?", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="clickstream")
    parser.add_argument("--data", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    print(f"{produce(arguments.data, arguments.servers, arguments.topic):,} records to {arguments.topic}")


if __name__ == "__main__":
    main()
