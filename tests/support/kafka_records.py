"""Record batches made by hand: sound ones from kafka-python's own builder, and ones changed under a right CRC."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatchBuilder

from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.wire.batches import PartitionBatches, ReadOptions

Headers = list[tuple[str, bytes | None]]
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ATTRIBUTES_AT, COUNT_AT, RECORDS_AT = 21, 57, 61


def batch(
    values: Sequence[bytes | None],
    base: int = 0,
    codec: int = 0,
    *,
    headers: Sequence[Headers] | None = None,
    producer: int = -1,
    transactional: bool = False,
) -> bytes:
    """One batch of those values at `base` and on; timestamps are 1000, 1001, … ms."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0 if producer >= 0 else -1, -1, 1 << 30)
    for index, value in enumerate(values):
        key = None if index % 2 else b"key"
        builder.append(index, 1000 + index, key, value, headers[index] if headers else [])
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base)
    return sealed(made)


def marker(base: int, producer: int, kind: int) -> bytes:
    """A transaction marker: `kind` 0 aborts, 1 commits."""
    made = bytearray(batch([b"\0\0\0\0\0\0"], base, producer=producer, transactional=True))
    record = struct.pack(">bbbbbhhb", 0, 0, 0, 0, 8, 0, kind, 12) + b"\0" * 6 + b"\0"
    made[RECORDS_AT:] = bytes([2 * (len(record) - 1)]) + record[1:]
    struct.pack_into(">h", made, ATTRIBUTES_AT, 0x30)
    return sealed(made)


def sealed(made: bytes | bytearray) -> bytes:
    """The batch with its length and CRC put right."""
    made = bytearray(made)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">I", made, 17, crc32c(bytes(made[ATTRIBUTES_AT:])))
    return bytes(made)


def with_records(made: bytes, records: bytes, count: int | None = None) -> bytes:
    """The batch with other bytes for its records, or another number of them."""
    changed = bytearray(made[:RECORDS_AT] + records)
    if count is not None:
        struct.pack_into(">i", changed, COUNT_AT, count)
    return sealed(changed)


def read(
    data: bytes,
    position: int = 0,
    *,
    aborted: Iterable[tuple[int, int]] = (),
    header: bytes | None = None,
    cap: int = 1 << 20,
    max_bytes: int = 1 << 30,
) -> list[Fetched]:
    """Everything in a response, under read_committed."""
    batches = PartitionBatches("t/0", data, position, aborted, ReadOptions(cap, header, True))
    pieces = []
    while batches:
        pieces.append(batches.read(max_bytes))
    return pieces
