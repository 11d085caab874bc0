"""The columns the engine adds to every row, in every table, from its first version on.

| column        | type            | meaning |
| event_date    | date32          | the UTC date of event_time; a partition column |
| _runtime      | string          | batch, streaming or serving; the last partition column |
| _event_type   | string          | with event_id it identifies the row |
| _logic, _plan | string          | the hashes the row was made under |
| _source       | string          | the file relative to the source's root, or topic/partition |
| _position     | int64           | the row in that file, or the offset |
| _row          | int32           | which of its input's rows this is, from 0 |
| _ingested_at  | timestamp us    | when the worker made it |
| _enrichments  | string or null  | JSON of the enrichments that were not a plain hit |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.contract.types import UTC_MICROSECONDS

EVENT_DATE: Final = pa.field("event_date", pa.date32())
LINEAGE: Final = (
    pa.field("_runtime", pa.string()),
    pa.field("_event_type", pa.string()),
    pa.field("_logic", pa.string()),
    pa.field("_plan", pa.string()),
    pa.field("_source", pa.string()),
    pa.field("_position", pa.int64()),
    pa.field("_row", pa.int32()),
    pa.field("_ingested_at", UTC_MICROSECONDS),
    pa.field("_enrichments", pa.string()),
)


def table_schema(author: pa.Schema) -> pa.Schema:
    """The table's columns: the authors', then event_date and the lineage columns. All are nullable in Delta's eyes."""
    return pa.schema([*(column.with_nullable(True) for column in author), EVENT_DATE, *LINEAGE])


@dataclass(frozen=True)
class Origin:
    """What all rows of one batch and event type have in common."""

    event_type: str
    logic: str
    plan: str
    source: str
    ingested_at_us: int


def constant(value: str, length: int) -> pa.DictionaryArray:
    """One string for all rows; Parquet writes it as one dictionary entry and a run length."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(length, np.int32)), pa.array([value]))


def lineage_columns(
    origin: Origin, positions: npt.NDArray[np.int64], row_numbers: npt.NDArray[np.int32], enrichments: pa.Array | None
) -> dict[str, pa.Array]:
    """The lineage columns of rows made from the inputs at `positions`; `_runtime` is the writer's to add."""
    length = len(positions)
    columns: dict[str, Any] = {
        "_event_type": constant(origin.event_type, length),
        "_logic": constant(origin.logic, length),
        "_plan": constant(origin.plan, length),
        "_source": constant(origin.source, length),
        "_position": pa.array(positions),
        "_row": pa.array(row_numbers),
        "_ingested_at": pa.repeat(pa.scalar(origin.ingested_at_us, UTC_MICROSECONDS), length),
        "_enrichments": pa.nulls(length, pa.string()) if enrichments is None else enrichments,
    }
    return columns


def event_date(event_time: pa.Array) -> pa.Array:
    """The UTC date of each event time."""
    return pc.cast(event_time, pa.date32(), safe=False)
