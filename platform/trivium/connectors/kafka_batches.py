"""The batches of one partition's share of a fetch response, as columns: decoded first, advanced after.

Control batches and, under read_committed, aborted batches move the position and hand out nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trivium.connectors.kafka_compression import NONE, decompress
from trivium.connectors.kafka_errors import KafkaRecordError
from trivium.connectors.kafka_fetched import Fetched, Int64s
from trivium.connectors.kafka_headers import BatchHeader, BatchHeaders
from trivium.connectors.kafka_transactions import AbortedTransactions


@dataclass(frozen=True)
class Reading:
    """How batches are read: the cap of a decompressed one in bytes, the routing header, the isolation."""

    max_batch_bytes: int
    header: bytes | None
    read_committed: bool


class _Block(NamedTuple):
    """A batch's records: decompressed, or (None) where they stand in the response."""

    header: BatchHeader
    own: bytes | None

    @property
    def size(self) -> int:
        return self.header.size if self.own is None else len(self.own)


class PartitionBatches:
    """Reads through one response. `position` is the next offset, `epoch` the leader epoch of what was read last."""

    def __init__(
        self, partition: str, data: bytes, position: int, aborted: Iterable[tuple[int, int]], reading: Reading
    ) -> None:
        """`aborted`: (producer id, first offset) of each aborted transaction that touches the response."""
        self.partition, self.position, self.epoch = partition, position, -1
        self._reading, self._data = reading, data
        self._headers = BatchHeaders(partition, data, position)
        self._aborted = AbortedTransactions(aborted)
        self._failure: KafkaRecordError | None = None

    def __bool__(self) -> bool:
        """Whether anything is left, be it an error."""
        return bool(self._headers) or self._failure is not None

    @property
    def remaining_bytes(self) -> int:
        """Bytes of the response not handed out yet."""
        return self._headers.remaining_bytes

    def read(self, max_bytes: int) -> Fetched:
        """The next batches, until about `max_bytes` are decoded; at least one batch.

        Raises:
            KafkaRecordError: at a batch that cannot be read, once everything before it was handed out.
        """
        if self._failure is not None:
            raise self._failure
        blocks, reached = self._admit(max_bytes)
        fetched = self._decode(blocks, reached)
        self.position = fetched.next
        return fetched

    def _admit(self, max_bytes: int) -> tuple[list[_Block], int]:
        blocks: list[_Block] = []
        reached, left = self.position, max_bytes
        try:
            while left > 0 and (header := self._headers.peek()) is not None:
                block = self._block(header)
                self._headers.pop()
                self.epoch, reached = header.epoch, max(reached, header.last + 1)
                if block is not None:
                    blocks.append(block)
                    left -= block.size
        except KafkaRecordError as error:
            self._failure = error
            if reached == self.position:
                raise
        return blocks, reached

    def _block(self, header: BatchHeader) -> _Block | None:
        try:
            if header.control:
                self._aborted.end(header, self._decompressed(header) or self._raw(header))
                return None
            if self._reading.read_committed and self._aborted.hides(header):
                return None
            return _Block(header, self._decompressed(header))
        except ValueError as error:
            raise self._headers.error(header, str(error)) from error

    def _raw(self, header: BatchHeader) -> bytes:
        from trivium.connectors.kafka_kernels import HEADER_BYTES

        return self._data[header.position + HEADER_BYTES : header.position + header.size]

    def _decompressed(self, header: BatchHeader) -> bytes | None:
        if header.codec == NONE:
            return None
        return decompress(header.codec, self._raw(header), self._reading.max_batch_bytes)

    def _decode(self, blocks: Sequence[_Block], reached: int) -> Fetched:
        from trivium.connectors import kafka_kernels as kernels

        data, spans = self._gather(blocks)
        if (short := next((n for n, span in enumerate(spans) if not _plausible(span)), None)) is not None:
            return self._cut(blocks, short, "its number of records does not fit its size")
        name = self._reading.header
        columns = np.empty((6, sum(span[6] for span in spans)), np.int64)
        rows = np.array(spans, np.int64).reshape(-1, 7)
        wanted = np.frombuffer(name or b"", np.uint8)
        kept = kernels.decode(np.frombuffer(data, np.uint8), rows, wanted, self.position, columns)
        if kept < 0:
            index, fault = divmod(-kept - 1, 8)
            return self._cut(blocks, index, kernels.FAULTS[fault])
        return self._fetched(data, columns[:, :kept], reached)

    def _cut(self, blocks: Sequence[_Block], bad: int, reason: str) -> Fetched:
        """What stands before a bad block; the error itself if that is nothing."""
        self._failure = self._headers.error(blocks[bad].header, reason)
        if bad == 0:
            raise self._failure
        return self._decode(blocks[:bad], blocks[bad - 1].header.last + 1)

    def _gather(self, blocks: Sequence[_Block]) -> tuple[bytes, list[tuple[int, ...]]]:
        """One buffer with the records of all blocks, and where in it each block lies."""
        from trivium.connectors.kafka_kernels import HEADER_BYTES

        if all(block.own is None for block in blocks):
            return self._data, [_span(block.header, block.header.position + HEADER_BYTES) for block in blocks]
        parts = [self._raw(block.header) if block.own is None else block.own for block in blocks]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        spans = [
            _span(block.header, end - len(part), end) for block, part, end in zip(blocks, parts, ends, strict=True)
        ]
        return parts[0] if len(parts) == 1 else b"".join(parts), spans

    def _fetched(self, data: bytes, columns: Int64s, reached: int) -> Fetched:
        return Fetched(
            partition=self.partition,
            start=self.position,
            next=reached,
            offsets=columns[0].copy(),
            timestamps=columns[1].copy(),
            values=_slices(data, columns[2], columns[3]),
            headers=None if self._reading.header is None else _slices(data, columns[4], columns[5]),
            nbytes=int((columns[3] - columns[2])[columns[2] >= 0].sum()),
        )


def _span(header: BatchHeader, start: int, stop: int | None = None) -> tuple[int, ...]:
    from trivium.connectors.kafka_kernels import NO_APPEND_TIME

    end = header.position + header.size if stop is None else stop
    append_time = NO_APPEND_TIME if header.append_time is None else header.append_time
    return start, end, header.base, header.last_delta, header.first_time, append_time, header.records


def _plausible(span: tuple[int, ...]) -> bool:
    """Whether so many records can stand there: their number decides how much memory is asked for."""
    from trivium.connectors.kafka_kernels import LEAST_RECORD_BYTES

    return 0 <= span[6] <= (span[1] - span[0]) // LEAST_RECORD_BYTES


def _slices(data: bytes, starts: Int64s, ends: Int64s) -> list[bytes | None]:
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    if len(starts) and starts.min() < 0:
        return [None if start < 0 else data[start:end] for start, end in pairs]
    return [data[start:end] for start, end in pairs]
