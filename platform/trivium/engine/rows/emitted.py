"""Rows of one event type that were made of one batch and found good, in the type's own columns.

Few rows stay the structs they were made as until somebody wants columns: then those of many batches become columns at
once, which costs what those of one batch would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import chain, groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.engine.rows.lineage import Origin, Parents, Places, lineage_columns
from trivium.types.convert import columns_of
from trivium.types.spec import FieldSpec

Structs = Sequence[Any]


@dataclass(frozen=True)
class Emitted:
    """Rows of one event type, `made` as structs or as the row's declared `fields` in columns.

    `nbytes` is about what they take in memory.
    """

    made: Structs | pa.RecordBatch
    fields: Sequence[FieldSpec]
    origin: Origin
    places: Places
    nbytes: int

    def __len__(self) -> int:
        return len(self.places.parents)

    @property
    def parents(self) -> Parents:
        """The batch row (int64) each came from, ascending."""
        return self.places.parents

    @cached_property
    def rows(self) -> pa.RecordBatch:
        """The rows as the row's declared columns, `event_date` and the lineage columns."""
        return joined([self])

    @cached_property
    def event_dates(self) -> pa.Array:
        """The UTC date of each row's event time."""
        if isinstance(self.made, pa.RecordBatch):
            return event_date(self.made.column("event_time"))
        return pa.array([row.event_time.date() for row in self.made], pa.date32())

    def days(self) -> set[date]:
        """Return the UTC dates of the rows' event times."""
        if isinstance(self.made, pa.RecordBatch):
            return set(pc.unique(self.event_dates).to_pylist())
        return {row.event_time.date() for row in self.made}

    def take(self, keep: npt.NDArray[np.int64]) -> Emitted:
        """Return the rows at these places."""
        chosen, places = pa.array(keep), self.places
        made = (
            self.made.take(chosen) if isinstance(self.made, pa.RecordBatch) else [self.made[at] for at in keep.tolist()]
        )
        kept = replace(
            places,
            parents=places.parents[keep],
            positions=places.positions[keep],
            enrichments=None if places.enrichments is None else places.enrichments.take(chosen),
        )
        return replace(self, made=made, places=kept, nbytes=self.nbytes * len(keep) // max(1, len(self)))


def joined(parts: Sequence[Emitted]) -> pa.RecordBatch:
    """Return the rows of several batches, one after the other: declared columns, `event_date`, lineage columns.

    All are of one event type.
    """
    fields = parts[0].fields
    made: list[pa.RecordBatch] = []
    for kind, group in groupby((part.made for part in parts), type):
        together = list(group)
        made += together if kind is pa.RecordBatch else [_columns(list(chain.from_iterable(together)), fields)]
    whole = made[0] if len(made) == 1 else pa.concat_batches(made)
    columns: dict[str, pa.Array] = dict(zip(whole.schema.names, whole.columns, strict=True))
    columns["event_date"] = event_date(columns["event_time"])
    columns |= lineage_columns(parts[0].origin, [part.places for part in parts])
    return pa.RecordBatch.from_pydict(columns)


def _columns(rows: Structs, fields: Sequence[FieldSpec]) -> pa.RecordBatch:
    """Return rows that the quick check found beyond doubt as columns, with nothing left to check."""
    made = columns_of(rows, fields)
    return pa.RecordBatch.from_arrays(made.columns, names=made.schema.names)


def event_date(event_time: pa.Array) -> pa.Array:
    """Return the UTC date of each event time."""
    return pc.cast(event_time, pa.date32(), safe=False)
