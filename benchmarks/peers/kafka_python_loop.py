"""kafka-python (with crc32c and lz4 installed), orjson, Arrow and Delta, written by hand."""

from __future__ import annotations

import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from benchmarks.peers.delta_loop import LESS_THAN, MORE_THAN, RATE, DeltaWriter, Row, Share, row_of, without_collector

_RECORDS = 10_000


def kafka_python_loop(share: Share) -> None:
    """Read a share to its end."""
    without_collector()
    consumer = KafkaConsumer(
        bootstrap_servers=share.servers,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=_RECORDS,
        max_partition_fetch_bytes=4 << 20,
    )
    partitions = [TopicPartition(share.topic, number) for number in share.ends]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    writer = DeltaWriter(share)
    positions = dict.fromkeys(share.ends, 0)
    while positions != share.ends:
        for partition, records in consumer.poll(timeout_ms=100).items():
            writer.rows += _rows(records)
            positions[partition.partition] = consumer.position(partition)
        writer.commit_if_due(positions)
    writer.commit(positions)
    consumer.close()


def _rows(records: list[ConsumerRecord]) -> list[Row]:
    rows, loads = [], orjson.loads
    for record in records:
        bid = loads(record.value)
        price = RATE * bid["price"]
        if MORE_THAN < price < LESS_THAN:
            rows.append(row_of(bid, price, record.partition, record.offset))
    return rows
