"""Dead letters as batches to be processed again: each with its event type, its place, and when it was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.dead_letters.schema import PARKED, SCHEMA
from trivium.delivery.dead_letters.stream import counted, is_streaming
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.rewrite import DEAD_LETTERS, rows_of_file
from trivium.delivery.storage.storage import Storage
from trivium.engine.batch import RawBatch

_ROWS = 4_096


@dataclass(frozen=True)
class LetterFilter:
    """The letters that a replay is about: those of one event type that are in one stage."""

    event_type: str
    stage: str = PARKED

    def holds(self, rows: pa.Table) -> pa.Array:
        """Return for each letter whether it is one of them."""
        return pc.and_(pc.equal(rows["event_type"], self.event_type), pc.equal(rows["stage"], self.stage))


@dataclass(frozen=True)
class LetterBatch:
    """Letters of one or more partitions. `rows` have the columns of `SCHEMA`, the runtime's aside."""

    rows: pa.Table

    @property
    def batch(self) -> RawBatch:
        """The inputs as they were read. The event type stands beside each, whatever routing says now."""
        return RawBatch(
            values=self.rows["value"].to_pylist(),
            source=self.rows["source"].combine_chunks().dictionary_encode(),
            positions=self.rows["position"].to_numpy(),
            types=self.rows["event_type"].to_pylist(),
        )

    @property
    def read_at_us(self) -> npt.NDArray[np.int64]:
        """The moment at which each was read, in microseconds since 1970 UTC."""
        moments: npt.NDArray[np.int64] = self.rows["rejected_at"].cast(pa.int64()).to_numpy()
        return moments


def letter_batches(letters: Snapshot, table: Snapshot, chosen: LetterFilter) -> Iterator[LetterBatch]:
    """Yield the letters of streaming that count in `table` and are chosen, a few thousand at a time.

    Files that go while this goes on are read to their end: only maintenance removes them, much later.

    Raises:
        FileMismatch: a file of letters does not read as the table's rows.
    """
    storage = Storage(letters.head.table_uri)
    for file in sorted(filter(is_streaming, letters.active.values()), key=lambda file: file.path):
        for rows in rows_of_file(storage, file, SCHEMA, DEAD_LETTERS.runtime):
            found = rows.filter(chosen.holds(rows))
            found = found.filter(counted(found, table))
            for start in range(0, found.num_rows, _ROWS):
                yield LetterBatch(found.slice(start, _ROWS).combine_chunks())
