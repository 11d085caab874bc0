"""The batches of one partition's share of a fetch response, as columns: decoded first, advanced after.

Control batches and, under read_committed, aborted batches move the position and hand out nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trivium.connectors.kafka.errors import KafkaRecordError
from trivium.connectors.kafka.fetched import Fetched, Int64s
from trivium.connectors.kafka.wire.compression import NONE, decompress
from trivium.connectors.kafka.wire.format import APPEND_TIME, HEADER_BYTES, LEAST_RECORD_BYTES, NO_APPEND_TIME
from trivium.connectors.kafka.wire.headers import BatchHeader, BatchHeaders
from trivium.connectors.kafka.wire.transactions import AbortedTransactions
from trivium.engine.decoding.packed_values import PackedValues


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading batches: the cap of a decompressed one in bytes, the routing header, the isolation."""

    max_batch_bytes: int
    header: bytes | None
    read_committed: bool


class _Piece(NamedTuple):
    """Batches whose records stand in `data`; a row of `spans` is what `kafka_kernels.decode` takes for a batch."""

    data: bytes
    spans: Int64s

    @property
    def size(self) -> int:
        return int(self.spans[-1, 1] - self.spans[0, 0])


class PartitionBatches:
    """Reads through one response. `position` is the next offset, `epoch` the leader epoch of what was read last."""

    def __init__(
        self, partition: str, data: bytes, position: int, aborted: Iterable[tuple[int, int]], reading: ReadOptions
    ) -> None:
        """Take (producer id, first offset) of each aborted transaction that touches the response."""
        self.partition, self.position, self.epoch = partition, position, -1
        self._reading, self._data = reading, data
        self._headers = BatchHeaders(partition, data, position)
        self._aborted = AbortedTransactions(aborted)
        self._failure: KafkaRecordError | None = None

    def __bool__(self) -> bool:
        """Return whether anything is left, be it an error."""
        return bool(self._headers) or self._failure is not None

    @property
    def remaining_bytes(self) -> int:
        """Bytes of the response not handed out yet."""
        return self._headers.remaining_bytes

    def read(self, max_bytes: int) -> Fetched:
        """Return the next batches, until about `max_bytes` are decoded; at least one batch.

        Raises:
            KafkaRecordError: at a batch that cannot be read, once everything before it was handed out.
        """
        if self._failure is not None:
            raise self._failure
        pieces, reached = self._admit(max_bytes)
        fetched = self._decode(*_gather(pieces), reached)
        self.position = fetched.next
        return fetched

    def _admit(self, max_bytes: int) -> tuple[list[_Piece], int]:
        pieces: list[_Piece] = []
        reached, left = self.position, max_bytes
        try:
            while left > 0 and self._headers:
                run = self._headers.pop_run(left)
                piece, last = self._one() if not len(run) else self._many(run)
                reached = max(reached, last + 1)
                if piece is not None:
                    pieces.append(piece)
                    left -= piece.size
        except KafkaRecordError as error:
            self._failure = error
            if reached == self.position:
                raise
        return pieces, reached

    def _many(self, rows: Int64s) -> tuple[_Piece, int]:
        """Return a run of small plain batches."""
        start, stop = rows[:, 0] + HEADER_BYTES, rows[:, 0] + rows[:, 1]
        append_time = np.where(rows[:, 6] & APPEND_TIME, rows[:, 9], NO_APPEND_TIME)
        spans = np.stack([start, stop, rows[:, 2], rows[:, 7], rows[:, 8], append_time, rows[:, 11]], axis=1)
        self.epoch = int(rows[-1, 3])
        return _Piece(self._data, spans), int(rows[-1, 2] + rows[-1, 7])

    def _one(self) -> tuple[_Piece | None, int]:
        """Return the next batch, of whatever kind; None for one that hands out nothing."""
        header = self._headers.peek()
        assert header is not None, "asked for a batch where none is left"
        try:
            piece = self._readable(header)
        except ValueError as error:
            raise self._headers.error(header.base, header.last, str(error)) from error
        self._headers.pop()
        self.epoch = header.epoch
        return piece, header.last

    def _readable(self, header: BatchHeader) -> _Piece | None:
        if header.control:
            data, start, stop = self._records(header)
            self._aborted.end(header, data[start:stop])
            return None
        if self._reading.read_committed and self._aborted.hides(header):
            return None
        data, start, stop = self._records(header)
        if not 0 <= header.records <= (stop - start) // LEAST_RECORD_BYTES:  # it decides how much memory is asked for
            raise ValueError(f"it cannot hold {header.records} records in {stop - start} bytes")
        append_time = NO_APPEND_TIME if header.append_time is None else header.append_time
        span = (start, stop, header.base, header.last_delta, header.first_time, append_time, header.records)
        return _Piece(data, np.array([span], np.int64))

    def _records(self, header: BatchHeader) -> tuple[bytes, int, int]:
        """Return where the batch's records stand: in which bytes, from where to where."""
        start, stop = header.position + HEADER_BYTES, header.position + header.size
        if header.codec == NONE:
            return self._data, start, stop
        own = decompress(header.codec, self._data[start:stop], self._reading.max_batch_bytes)
        return own, 0, len(own)

    def _decode(self, data: bytes, spans: Int64s, reached: int) -> Fetched:
        from trivium.connectors.kafka.wire import kernels

        name = self._reading.header
        columns = np.empty((6, int(spans[:, 6].sum())), np.int64)
        wanted = np.frombuffer(name or b"", np.uint8)
        kept = kernels.decode(np.frombuffer(data, np.uint8), spans, wanted, self.position, columns)
        if kept < 0:
            return self._cut(data, spans, *divmod(-kept - 1, 8))
        return self._fetched(data, columns[:, :kept], reached)

    def _cut(self, data: bytes, spans: Int64s, bad: int, fault: int) -> Fetched:
        """Return what stands before a batch that could not be decoded; the error itself if that is nothing."""
        from trivium.connectors.kafka.wire.kernels import FAULTS

        first, last = int(spans[bad, 2]), int(spans[bad, 2] + spans[bad, 3])
        self._failure = self._headers.error(first, last, FAULTS[fault])
        if bad == 0:
            raise self._failure
        return self._decode(data, spans[:bad], int(spans[bad - 1, 2] + spans[bad - 1, 3]) + 1)

    def _fetched(self, data: bytes, columns: Int64s, reached: int) -> Fetched:
        return Fetched(
            partition=self.partition,
            start=self.position,
            next=reached,
            offsets=columns[0].copy(),
            timestamps=columns[1].copy(),
            values=_packed(data, columns[2], columns[3]),
            headers=None if self._reading.header is None else _slices(data, columns[4], columns[5]),
        )


def _gather(pieces: Sequence[_Piece]) -> tuple[bytes, Int64s]:
    """Return one buffer for all pieces, and the spans in it; bytes are copied only where buffers differ."""
    if not pieces:
        return b"", np.empty((0, 7), np.int64)
    spans = np.concatenate([piece.spans for piece in pieces])
    if all(piece.data is pieces[0].data for piece in pieces):
        return pieces[0].data, spans
    parts = [memoryview(piece.data)[piece.spans[0, 0] : piece.spans[-1, 1]] for piece in pieces]
    ends = np.cumsum([len(part) for part in parts])
    shifts = [end - piece.spans[-1, 1] for end, piece in zip(ends, pieces, strict=True)]
    spans[:, :2] += np.repeat(shifts, [len(piece.spans) for piece in pieces])[:, None]
    return b"".join(parts), spans


def _packed(data: bytes, starts: Int64s, ends: Int64s) -> PackedValues:
    from trivium.connectors.kafka.wire import kernels

    present = starts >= 0
    lengths = np.where(present, ends - starts, 0)
    packed, bounds = np.empty(int(lengths.sum()) + len(lengths), np.uint8), np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths + 1, out=bounds[1:])
    kernels.pack(np.frombuffer(data, np.uint8), starts, bounds, packed)
    return PackedValues(packed, bounds, None if present.all() else present)


def _slices(data: bytes, starts: Int64s, ends: Int64s) -> list[bytes | None]:
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    if len(starts) and starts.min() < 0:
        return [None if start < 0 else data[start:end] for start, end in pairs]
    return [data[start:end] for start, end in pairs]
