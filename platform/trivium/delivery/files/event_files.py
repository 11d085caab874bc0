"""Files of rows as the engine emits them: gathered by event type until there are enough to be written as columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.engine.rows.emitted import Emitted, joined

_ENOUGH_ROWS: Final = 16_384
_MOST_BYTES: Final = 32 << 20
"""Rows of all types together that wait to become columns."""


class EventFiles:
    """A writer of the rows of many batches; many small batches, or many event types, cost no more than few."""

    def __init__(self, files: PartitionedFiles) -> None:
        self._files = files
        self._waiting: dict[str, list[Emitted]] = defaultdict(list)
        self._rows: dict[str, int] = defaultdict(int)
        self._bytes = 0

    def add(self, parts: Iterable[Emitted]) -> None:
        """Append rows.

        Raises:
            SchemaConflict: a partition value would not come back as it went.
            StorageError: the storage refused.
        """
        for part in parts:
            event_type = part.origin.event_type
            self._waiting[event_type].append(part)
            self._rows[event_type] += len(part)
            self._bytes += part.nbytes
            if self._rows[event_type] >= _ENOUGH_ROWS:
                self._write(event_type)
        if self._bytes > _MOST_BYTES:
            self._write_all()

    def close(self) -> list[DataFile]:
        """Close all files durably and return their manifests, in the order they were closed."""
        self._write_all()
        return self._files.close()

    def abandon(self) -> None:
        """Remove every file written so far; none of them can have been committed."""
        self._waiting.clear()
        self._files.abandon()

    def _write_all(self) -> None:
        for event_type in list(self._waiting):
            self._write(event_type)

    def _write(self, event_type: str) -> None:
        parts = self._waiting.pop(event_type)
        self._bytes -= sum(part.nbytes for part in parts)
        del self._rows[event_type]
        self._files.write(pa.Table.from_batches([joined(parts)]))
