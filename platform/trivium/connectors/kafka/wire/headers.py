"""The headers of the record batches in a fetch response, checked: format, order of offsets, CRC."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from trivium.connectors.kafka.errors import KafkaRecordError
from trivium.connectors.kafka.fetched import Int64s
from trivium.connectors.kafka.wire.format import APPEND_TIME, CODEC, CONTROL, CRC_COVERS_FROM, TRANSACTIONAL

_SCANNED_AT_ONCE: Final = 512


class BatchHeader(NamedTuple):
    """A batch's fixed part; `position` and `size` are bytes of the response. Times are milliseconds."""

    position: int
    size: int
    base: int
    epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_time: int
    max_time: int
    producer: int
    records: int

    @property
    def last(self) -> int:
        """The batch's last offset; compaction keeps it even where it removes that record."""
        return self.base + self.last_delta

    @property
    def codec(self) -> int:
        """The compression codec's number."""
        return self.attributes & CODEC

    @property
    def append_time(self) -> int | None:
        """The broker's time for all records of the batch; None where each has its producer's."""
        return self.max_time if self.attributes & APPEND_TIME else None

    @property
    def transactional(self) -> bool:
        """True for a batch that belongs to a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """True for a batch that holds a transaction marker instead of records."""
        return bool(self.attributes & CONTROL)


_COLUMNS: Final = len(BatchHeader._fields)


class BatchHeaders:
    """The complete batches of one partition's share of a response, in order. The broker may cut off the last one."""

    def __init__(self, partition: str, data: bytes, fetch_offset: int) -> None:
        self._partition, self._data, self._fetch_offset = partition, data, fetch_offset
        self._view, self._bytes = memoryview(data), np.frombuffer(data, np.uint8)
        self._rows: Int64s = np.empty((0, _COLUMNS), np.int64)
        self._scanned, self._last = 0, -1
        self._unreadable: KafkaRecordError | None = None
        self._scan()

    def __bool__(self) -> bool:
        """Return whether anything is left, be it an error."""
        return len(self._rows) > 0 or self._unreadable is not None

    @property
    def remaining_bytes(self) -> int:
        """Bytes of the response from the next batch on."""
        return len(self._data) - (int(self._rows[0, 0]) if len(self._rows) else self._scanned)

    def peek(self) -> BatchHeader | None:
        """Return the next batch's header, checked; None behind the last.

        Raises:
            KafkaRecordError: if what stands there is no sound batch of message format 2.
        """
        if not len(self._rows):
            if self._unreadable is not None:
                raise self._unreadable
            return None
        header = BatchHeader._make(self._rows[0].tolist())
        if header.base <= self._last or header.last_delta < 0:
            before = f"those of the batch before it, up to {self._last}" if self._last >= 0 else "anything"
            raise self.error(header.base, header.last, f"its offsets do not follow {before}")
        self._check_crc(header)
        return header

    def pop(self) -> None:
        """Go past the batch that `peek` gave."""
        self._go_past(1)

    def pop_run(self, max_bytes: int) -> Int64s:
        """Go past the small uncompressed batches that come next, checked like `peek`; their rows, maybe none.

        A producer that does not linger writes a batch for each record: those are handled many at a time.
        """
        from trivium.connectors.kafka.wire.kernels import plain_run

        rows = self._rows[: plain_run(self._bytes, self._rows, self._last, max_bytes)]
        if len(rows):
            self._go_past(len(rows))
        return rows

    def error(self, first: int, last: int, reason: str) -> KafkaRecordError:
        """Return why the batch of those offsets cannot be read."""
        return KafkaRecordError(self._partition, first, max(first, last), reason)

    def _go_past(self, batches: int) -> None:
        row = self._rows[batches - 1]
        self._last = int(row[2] + row[7])
        self._rows = self._rows[batches:]
        if not len(self._rows) and self._unreadable is None:
            self._scan()

    def _scan(self) -> None:
        from trivium.connectors.kafka.wire import kernels

        rows = np.zeros((_SCANNED_AT_ONCE, _COLUMNS), np.int64)
        count, self._scanned, status = kernels.scan(self._bytes, self._scanned, rows)
        self._rows = rows[:count]
        if status == kernels.UNREADABLE:
            self._unreadable = self._no_batch(BatchHeader._make(rows[count].tolist()))
        elif self._scanned == 0 and self._data:
            at = self._fetch_offset
            self._unreadable = self.error(at, at, "the response holds no complete batch")

    def _no_batch(self, header: BatchHeader) -> KafkaRecordError:
        if header.magic in (0, 1):
            reason = (
                f"it has message format {header.magic}; formats before 2 (Kafka 0.11) are not read, since their "
                "checksums, offsets and transactions mean other things. Copy the topic with a current client"
            )
            return self.error(header.base, header.base, reason)
        at = max(self._fetch_offset, self._last + 1)
        found = f"message format {header.magic}" if header.magic != 2 else f"a size of {header.size} bytes"
        return self.error(at, at, f"its header is damaged ({found})")

    def _check_crc(self, header: BatchHeader) -> None:
        from crc32c import crc32c

        found = crc32c(self._view[header.position + CRC_COVERS_FROM : header.position + header.size])
        if found != header.crc:
            reason = f"its CRC is {found:#010x} where its header says {header.crc:#010x}"
            raise self.error(header.base, header.last, reason)
