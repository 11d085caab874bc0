"""The events of one type on their way through the worker, in the form their executor takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.types.convert import array_of, columns_of, values_of
from trivium.types.spec import FieldSpec

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RowInputs:
    """Events as structs; `rows` says which row of the batch each is."""

    rows: Rows
    events: Sequence[Any]

    def take(self, keep: Rows) -> RowInputs:
        """Return the events at these places."""
        return RowInputs(self.rows[keep], [self.events[i] for i in keep.tolist()])

    def key(self, spec: FieldSpec) -> pa.Array:
        """Return one field of each event as a column."""
        return array_of(values_of(self.events, spec), spec.type.arrow)


@dataclass(frozen=True)
class ColumnInputs:
    """Events as columns; `rows` says which row of the batch each is."""

    rows: Rows
    columns: pa.RecordBatch

    def take(self, keep: Rows) -> ColumnInputs:
        """Return the events at these places."""
        return ColumnInputs(self.rows[keep], self.columns.take(pa.array(keep)))

    def key(self, spec: FieldSpec) -> pa.Array:
        """Return one field of each event as a column."""
        return self.columns.column(spec.name)

    @classmethod
    def of(cls, rows: Rows, events: Sequence[Any], fields: Sequence[FieldSpec]) -> ColumnInputs:
        """Return structs as columns."""
        return cls(rows, columns_of(events, fields))


Inputs = RowInputs | ColumnInputs
