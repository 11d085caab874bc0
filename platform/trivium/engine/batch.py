"""Batches a runtime hands to the worker: raw records or typed columns, with the place they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Positions = npt.NDArray[np.int64]
Source: TypeAlias = str | pa.DictionaryArray
"""Where records came from: one name for all of them, or one name a record."""


@dataclass(frozen=True)
class RawBatch:
    """JSON records. `values` holds one record each (None is a tombstone), `positions` their places in `source`.

    `types` names each record's event type when a header or the topic does (None: it names none); without it the routed
    field of the record does.
    """

    values: Sequence[bytes | None]
    source: Source
    positions: Positions
    types: Sequence[str | None] | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class TypedBatch:
    """Typed columns under their wire names. `timezone` (IANA name) is the meaning of naive timestamps, if declared.

    `event_type` is that of all rows where the source says it; without it a column of theirs does.
    """

    columns: pa.RecordBatch
    source: Source
    positions: Positions
    timezone: str | None = None
    event_type: str | None = None

    def __len__(self) -> int:
        return int(self.columns.num_rows)


Batch = RawBatch | TypedBatch


def constant(value: str, length: int) -> pa.DictionaryArray:
    """Repeat one string for all rows; Parquet writes it as one dictionary entry and a run length."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(length, np.int32)), pa.array([value]))


def source_column(source: Source, rows: Positions) -> pa.DictionaryArray:
    """Return the source of each of these rows of a batch."""
    if isinstance(source, str):
        return constant(source, len(rows))
    return source.take(pa.array(rows))
