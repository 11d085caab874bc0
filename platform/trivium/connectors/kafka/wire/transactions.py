"""Batches of a response that belong to aborted transactions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from trivium.connectors.kafka.wire.headers import BatchHeader

_ABORT: Final = 0
_SKIPPED_BEFORE_KEY: Final = 4  # size, attributes, time and offset of a marker's one record


class AbortedTransactions:
    """Follows the producers whose transaction is aborted, batch by batch in the order of offsets.

    After the broker's list of (producer id, first offset): a transaction is aborted from its first offset up to its
    producer's abort marker.
    """

    def __init__(self, aborted: Iterable[tuple[int, int]]) -> None:
        self._ahead = deque(sorted(aborted, key=lambda each: each[1]))
        self._open: set[int] = set()

    def hides(self, header: BatchHeader) -> bool:
        """Return whether the batch, one with records, is aborted."""
        self._advance(header)
        return header.transactional and header.producer in self._open

    def end(self, header: BatchHeader, marker: bytes) -> None:
        """Take note of a control batch and its record: behind an abort marker its producer starts afresh.

        Raises:
            ValueError: if the record is no transaction marker.
        """
        self._advance(header)
        if _is_abort(marker):
            self._open.discard(header.producer)

    def _advance(self, header: BatchHeader) -> None:
        while self._ahead and self._ahead[0][1] <= header.last:
            self._open.add(self._ahead.popleft()[0])


def _is_abort(record: bytes) -> bool:
    """Return whether a control record ends an aborted transaction: its key is version and type, both 16 bits.

    Raises:
        ValueError: if the record holds no such key.
    """
    position = 0
    for field in range(_SKIPPED_BEFORE_KEY + 1):
        if field == 1:  # attributes, one byte
            position += 1
            continue
        while position < len(record) and record[position] >= 0x80:
            position += 1
        position += 1
    if len(record) < position + 4:
        raise ValueError("its transaction marker has no type")
    return int.from_bytes(record[position + 2 : position + 4], "big") == _ABORT
