"""Record batches (message format 2) to columns, compiled. Every read is checked against the end of what holds it.

Format: https://kafka.apache.org/documentation/#recordbatch. Import this module on use: it loads numba. `warm_up`
compiles, about ten seconds once per machine; the result is cached beside the module, or where numba finds a place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trivium.connectors.kafka.wire.crc import TABLES
from trivium.connectors.kafka.wire.format import (
    CODEC,
    CONTROL,
    CRC_COVERS_FROM,
    HEADER_BYTES,
    LEAST_RECORD_BYTES,
    NO_APPEND_TIME,
    OVERHEAD_BYTES,
    TRANSACTIONAL,
)

READ, UNREADABLE = 0, 1

FAULTS: Final = (
    "",
    "a record's size does not fit the batch",
    "a record is too short for its times and offset",
    "a key does not fit its record",
    "a value does not fit its record",
    "headers do not fit their record, or bytes are left over behind them",
    "a record's offset lies outside the batch or does not rise",
    "bytes are left over behind the last record",
)

SMALL_BATCH_BYTES: Final = 16 << 10
"""Up to here the cost of a call outweighs that of a checksum without the processor's own instruction."""
_NOT_PLAIN: Final = CODEC | TRANSACTIONAL | CONTROL

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]


def _compiled(kernel: Callable[..., Any]) -> Any:
    try:
        return njit(cache=True, nogil=True)(kernel)
    except RuntimeError:  # there is no folder to write the cache to: each process compiles for itself
        return njit(nogil=True)(kernel)


@_compiled
def _big_endian(buffer: Bytes, position: int, size: int) -> Any:
    value = np.uint64(0)
    for index in range(position, position + size):
        value = (value << np.uint64(8)) | np.uint64(buffer[index])
    return np.int64(value)


@_compiled
def _signed32(value: int) -> Any:
    return value - (np.int64(1) << 32) if value >= (np.int64(1) << 31) else value


@_compiled
def scan(buffer: Bytes, position: int, rows: Int64s) -> Any:
    """Read the headers of the complete batches from `position` on into `rows`; (how many, next position, status).

    A row is position, size, base offset, leader epoch, magic, CRC, attributes, last offset delta, first and greatest
    timestamp, producer, number of records.

    A batch the broker cut off at the end of a response is left out. UNREADABLE: at the next position stands something
    that cannot be a batch of format 2; its header, as far as it can be read, is the row behind the last.
    """
    count = 0
    total = buffer.size
    while count < rows.shape[0] and total - position >= 17:
        row = rows[count]
        size = _signed32(_big_endian(buffer, position + 8, 4)) + OVERHEAD_BYTES
        row[0] = position
        row[1] = size
        row[2] = _big_endian(buffer, position, 8)
        row[4] = buffer[position + 16]
        if row[4] != 2 or size < HEADER_BYTES:
            return count, position, UNREADABLE
        if size > total - position:
            break
        row[3] = _signed32(_big_endian(buffer, position + 12, 4))
        row[5] = _big_endian(buffer, position + 17, 4)
        row[6] = _big_endian(buffer, position + 21, 2)
        row[7] = _signed32(_big_endian(buffer, position + 23, 4))
        row[8] = _big_endian(buffer, position + 27, 8)
        row[9] = _big_endian(buffer, position + 35, 8)
        row[10] = _big_endian(buffer, position + 43, 8)
        row[11] = _signed32(_big_endian(buffer, position + 57, 4))
        count += 1
        position += size
    return count, position, READ


@_compiled
def _crc32c(buffer: Bytes, position: int, stop: int) -> Any:
    crc = np.uint32(0xFFFFFFFF)
    while stop - position >= 8:
        low = crc ^ np.uint32(
            np.uint32(buffer[position])
            | np.uint32(buffer[position + 1]) << np.uint32(8)
            | np.uint32(buffer[position + 2]) << np.uint32(16)
            | np.uint32(buffer[position + 3]) << np.uint32(24)
        )
        crc = (
            TABLES[7, low & 0xFF]
            ^ TABLES[6, (low >> np.uint32(8)) & 0xFF]
            ^ TABLES[5, (low >> np.uint32(16)) & 0xFF]
            ^ TABLES[4, low >> np.uint32(24)]
            ^ TABLES[3, buffer[position + 4]]
            ^ TABLES[2, buffer[position + 5]]
            ^ TABLES[1, buffer[position + 6]]
            ^ TABLES[0, buffer[position + 7]]
        )
        position += 8
    while position < stop:
        crc = (crc >> np.uint32(8)) ^ TABLES[0, (crc ^ buffer[position]) & 0xFF]
        position += 1
    return np.int64(crc ^ np.uint32(0xFFFFFFFF))


@_compiled
def plain_run(buffer: Bytes, rows: Int64s, last: int, max_bytes: int) -> Any:
    """Count the batches of `rows` that are small, plain and sound, from the first on and up to about `max_bytes`.

    `last` is the offset they have to lie behind. Plain: neither compressed nor transactional nor control. Where the run
    ends says nothing: the next batch may be of another kind, or damaged.
    """
    count = 0
    size = 0
    while count < rows.shape[0] and size < max_bytes:
        row = rows[count]
        if row[6] & _NOT_PLAIN or row[1] > SMALL_BATCH_BYTES or row[2] <= last or row[7] < 0:
            break
        if row[11] < 0 or row[11] > (row[1] - HEADER_BYTES) // LEAST_RECORD_BYTES:
            break
        if _crc32c(buffer, row[0] + CRC_COVERS_FROM, row[0] + row[1]) != row[5]:
            break
        last = row[2] + row[7]
        size += row[1]
        count += 1
    return count


@_compiled
def _varint(buffer: Bytes, position: int, stop: int) -> Any:
    """Return a zigzag varint and the position behind it; that position is -1 if it does not end before `stop`."""
    raw = np.uint64(0)
    shift = np.uint64(0)
    while position < stop and shift < np.uint64(64):
        byte = np.uint64(buffer[position])
        position += 1
        raw |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            return np.int64(raw >> np.uint64(1)) ^ -np.int64(raw & np.uint64(1)), position
        shift += np.uint64(7)
    return np.int64(0), -1


@_compiled
def _bytes(buffer: Bytes, position: int, stop: int) -> Any:
    """Start and end of a length-prefixed field; the start is -1 for null, the end -1 if it does not fit."""
    size, position = _varint(buffer, position, stop)
    if position < 0 or size > stop - position:
        return -1, -1
    if size < 0:
        return -1, position
    return position, position + size


@_compiled
def _matches(buffer: Bytes, start: int, end: int, name: Bytes) -> Any:
    if name.size == 0 or end - start != name.size:
        return False
    for index in range(name.size):  # noqa: SIM110 - numba compiles the loop, not the generator
        if buffer[start + index] != name[index]:
            return False
    return True


@_compiled
def _headers(buffer: Bytes, position: int, stop: int, name: Bytes) -> Any:
    """Start and end of the last value under `name` (-1: none or null), and the position behind all headers or -1."""
    start, end = -1, -1
    count, position = _varint(buffer, position, stop)
    if position < 0 or count < 0:
        return start, end, -1
    for _ in range(count):
        key, position = _bytes(buffer, position, stop)
        if position < 0 or key < 0:
            return start, end, -1
        found = _matches(buffer, key, position, name)
        value, position = _bytes(buffer, position, stop)
        if position < 0:
            return start, end, -1
        if found:
            start, end = value, position
    return start, end, position


@_compiled
def _record(buffer: Bytes, position: int, stop: int, name: Bytes, fields: Int64s) -> Any:
    """Read one record into `fields`: offset delta, time delta, value start and end, header start and end."""
    size, position = _varint(buffer, position, stop)
    if position < 0 or size < LEAST_RECORD_BYTES - 1 or size > stop - position:
        return position, 1
    end = position + size
    fields[1], position = _varint(buffer, position + 1, end)  # one byte of unused attributes before it
    if position < 0:
        return position, 2
    fields[0], position = _varint(buffer, position, end)
    if position < 0:
        return position, 2
    _, position = _bytes(buffer, position, end)
    if position < 0:
        return position, 3
    fields[2], position = _bytes(buffer, position, end)
    if position < 0:
        return position, 4
    fields[3] = position
    fields[4], fields[5], position = _headers(buffer, position, end, name)
    return position, 0 if position == end else 5


@_compiled
def decode(buffer: Bytes, batches: Int64s, name: Bytes, fetch_offset: int, columns: Int64s) -> Any:
    """Read the records of `batches` from `fetch_offset` on into `columns`; how many, or -(1 + 8 * batch + fault).

    A batch is (start, stop, base offset, last offset delta, first timestamp, append time or NO_APPEND_TIME, records).
    A column of `columns` is offset, timestamp, start and end of the value (start -1: null), start and end of the value
    of the last header called `name`.
    """
    fields = np.empty(6, np.int64)
    kept = 0
    for index in range(batches.shape[0]):
        position, stop, base = batches[index, 0], batches[index, 1], batches[index, 2]
        append_time = batches[index, 5]
        previous = np.int64(-1)
        for _ in range(batches[index, 6]):
            position, fault = _record(buffer, position, stop, name, fields)
            if fault:
                return -(1 + 8 * index + fault)
            if fields[0] <= previous or fields[0] > batches[index, 3]:
                return -(1 + 8 * index + 6)
            previous = fields[0]
            if base + previous >= fetch_offset:
                columns[0, kept] = base + previous
                columns[1, kept] = batches[index, 4] + fields[1] if append_time == NO_APPEND_TIME else append_time
                columns[2:, kept] = fields[2:]
                kept += 1
        if position != stop:
            return -(1 + 8 * index + 7)
    return kept


@_compiled
def pack(buffer: Bytes, starts: Int64s, bounds: Int64s, packed: Bytes) -> None:
    """Copy values to `packed`, each with a line feed behind it; `bounds` says from where to where.

    They must fit: `starts` and the lengths in `bounds` are those `decode` found.
    """
    for index in range(starts.size):
        stop = bounds[index + 1] - 1
        size = stop - bounds[index]
        value, place = buffer[starts[index] : starts[index] + size], packed[bounds[index] : stop]
        for at in range(size):  # five times as fast as an assignment of the slice
            place[at] = value[at]
        packed[stop] = 10


def warm_up() -> None:
    """Compile everything, or load what was compiled before."""
    nothing = np.frombuffer(b"\0", np.uint8)
    rows, columns = np.zeros((1, 12), np.int64), np.zeros((6, 1), np.int64)
    scan(nothing, 0, rows)
    plain_run(nothing, rows, 0, 0)
    decode(nothing, rows[:0, :7], nothing, 0, columns)
    pack(nothing, columns[2, :0], columns[2], np.zeros(1, np.uint8))
