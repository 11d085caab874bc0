"""confluent-kafka, orjson, Arrow and Delta, as one would write it first: rows are dicts, the libraries do the rest."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from benchmarks.peers.delta_loop import COMMIT_SECONDS, LESS_THAN, MORE_THAN, RATE, SCHEMA, Share, row_of

_MESSAGES = 1_000


def confluent_plain(share: Share) -> None:
    """Read a share to its end, with the positions in the commit."""
    consumer = Consumer(
        {
            "bootstrap.servers": share.servers,
            "group.id": "by-hand",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(share.topic, number, 0) for number in share.ends])
    partitions = consumer.assignment()
    table, rows, due = DeltaTable(str(share.table)), list[dict[str, Any]](), time.monotonic() + COMMIT_SECONDS
    positions = dict.fromkeys(share.ends, 0)
    while positions != share.ends:
        rows += _rows(consumer.consume(_MESSAGES, 0.1))
        positions = {each.partition: max(0, each.offset) for each in consumer.position(partitions)}
        if time.monotonic() >= due or positions == share.ends:
            _commit(table, share, rows, positions)
            rows, due = [], time.monotonic() + COMMIT_SECONDS
    consumer.close()


def _rows(messages: list[Message]) -> list[dict[str, Any]]:
    rows = []
    for message in messages:
        if error := message.error():
            raise KafkaException(error)
        bid = orjson.loads(message.value())
        price = RATE * bid["price"]
        if MORE_THAN < price < LESS_THAN:
            row = row_of(bid, price, message.partition(), message.offset())
            rows.append(dict(zip(SCHEMA.names, row, strict=True)))
    return rows


def _commit(table: DeltaTable, share: Share, rows: list[dict[str, Any]], positions: dict[int, int]) -> None:
    for row in rows:
        row["event_time"] *= 1_000  # the column's microseconds
    moved = [Transaction(f"{share.topic}/{number}", at) for number, at in positions.items()]
    made = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_deltalake(table, made, mode="append", commit_properties=CommitProperties(app_transactions=moved))
