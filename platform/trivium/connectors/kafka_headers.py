"""The headers of the record batches in a fetch response, checked: format, order of offsets, CRC."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from trivium.connectors.kafka_errors import KafkaRecordError

_CRC_COVERS_FROM: Final = 21
_SCANNED_AT_ONCE: Final = 512
_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x08, 0x10, 0x20


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
        return self.attributes & 0x07

    @property
    def append_time(self) -> int | None:
        """The broker's time for all records of the batch; None where each has its producer's."""
        return self.max_time if self.attributes & _APPEND_TIME else None

    @property
    def transactional(self) -> bool:
        """Whether the batch belongs to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """Whether the batch holds a transaction marker instead of records."""
        return bool(self.attributes & _CONTROL)


class BatchHeaders:
    """The complete batches of one partition's share of a response, in order. The broker may cut off the last one."""

    def __init__(self, partition: str, data: bytes, fetch_offset: int) -> None:
        self._partition, self._data, self._fetch_offset = partition, data, fetch_offset
        self._view, self._bytes = memoryview(data), np.frombuffer(data, np.uint8)
        self._ready: deque[BatchHeader] = deque()
        self._scanned, self._last = 0, -1
        self._unreadable: KafkaRecordError | None = None
        self._scan()

    def __bool__(self) -> bool:
        """Whether anything is left, be it an error."""
        return bool(self._ready) or self._unreadable is not None

    @property
    def remaining_bytes(self) -> int:
        """Bytes of the response from the next batch on."""
        return len(self._data) - (self._ready[0].position if self._ready else self._scanned)

    def peek(self) -> BatchHeader | None:
        """The next batch's header, checked; None behind the last.

        Raises:
            KafkaRecordError: if what stands there is no sound batch of message format 2.
        """
        if not self._ready:
            if self._unreadable is not None:
                raise self._unreadable
            return None
        header = self._ready[0]
        if header.base <= self._last or header.last_delta < 0 or header.base < 0:
            raise self.error(header, f"its offsets do not follow those of the batch before it (up to {self._last})")
        self._check_crc(header)
        return header

    def pop(self) -> None:
        """Go past the batch that `peek` gave."""
        self._last = self._ready.popleft().last
        if not self._ready and self._unreadable is None:
            self._scan()

    def error(self, header: BatchHeader, reason: str) -> KafkaRecordError:
        """Why that batch cannot be read."""
        return KafkaRecordError(self._partition, header.base, max(header.base, header.last), reason)

    def _scan(self) -> None:
        from trivium.connectors import kafka_kernels as kernels

        rows = np.zeros((_SCANNED_AT_ONCE, len(BatchHeader._fields)), np.int64)
        count, self._scanned, status = kernels.scan(self._bytes, self._scanned, rows)
        self._ready.extend(map(BatchHeader._make, rows[:count].tolist()))
        if status == kernels.UNREADABLE:
            self._unreadable = self._no_batch(BatchHeader._make(rows[count].tolist()))
        elif self._scanned == 0 and self._data:
            at = self._fetch_offset
            self._unreadable = KafkaRecordError(self._partition, at, at, "the response holds no complete batch")

    def _no_batch(self, header: BatchHeader) -> KafkaRecordError:
        if header.magic in (0, 1):
            reason = (
                f"it has message format {header.magic}; formats before 2 (Kafka 0.11) are not read, since their "
                "checksums, offsets and transactions mean other things. Copy the topic with a current client"
            )
            return KafkaRecordError(self._partition, header.base, header.base, reason)
        at = max(self._fetch_offset, self._last + 1)
        found = f"message format {header.magic}" if header.magic != 2 else f"a size of {header.size} bytes"
        return KafkaRecordError(self._partition, at, at, f"its header is damaged ({found})")

    def _check_crc(self, header: BatchHeader) -> None:
        from crc32c import crc32c

        found = crc32c(self._view[header.position + _CRC_COVERS_FROM : header.position + header.size])
        if found != header.crc:
            raise self.error(header, f"its CRC is {found:#010x} where its header says {header.crc:#010x}")
