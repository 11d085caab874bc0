"""The columns the engine adds to every table: where each row came from, and the day it belongs to.

| column         | Arrow              | meaning |
| event_date     | date32             | UTC date of `event_time`; the partition column |
| _event_type    | string             | event type; `(_event_type, event_id)` identifies a row |
| _logic         | string             | hash of what can change a row's content |
| _plan          | string             | hash of the whole compiled pipeline |
| _executor      | string, nullable   | executor version: digest of what decides the rows of the event type |
| _source        | string             | topic/partition, or file relative to the source's root |
| _position      | int64              | offset, or row in the file |
| _row           | int32              | which of the input's output rows this is, from 0 |
| _ingested_at   | timestamp[us, UTC] | when the runtime read the input |
| _enrichments   | string, nullable   | JSON of the enrichments that were not a plain hit |
| _runtime       | string             | `batch` or `streaming`; the last partition column |
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from trivium.delivery.errors import SchemaConflict

EVENT_DATE: Final = pa.field("event_date", pa.date32(), nullable=False)
RUNTIME: Final = pa.field("_runtime", pa.string(), nullable=False)
EVENT_TYPE: Final = "_event_type"
LINEAGE: Final = (
    pa.field(EVENT_TYPE, pa.string(), nullable=False),
    pa.field("_logic", pa.string(), nullable=False),
    pa.field("_plan", pa.string(), nullable=False),
    pa.field("_executor", pa.string(), nullable=True),
    pa.field("_source", pa.string(), nullable=False),
    pa.field("_position", pa.int64(), nullable=False),
    pa.field("_row", pa.int32(), nullable=False),
    pa.field("_ingested_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("_enrichments", pa.string(), nullable=True),
    RUNTIME,
)
# A handful of distinct values each: dictionary encoded all the way into the file.
DICTIONARY_COLUMNS: Final = frozenset({"_event_type", "_logic", "_plan", "_executor", "_source", "_runtime"})


def table_schema(author: pa.Schema) -> pa.Schema:
    """Return the table's schema: the author's columns, `event_date`, then the lineage columns.

    Raises:
        SchemaConflict: an author's column takes a name that is the engine's.
    """
    taken = [name for name in author.names if name.startswith("_") or name == EVENT_DATE.name]
    if taken:
        message = f"columns {taken} are the engine's (event_date, and every name that starts with _). Try: rename them"
        raise SchemaConflict(message)
    return pa.schema([*author, EVENT_DATE, *LINEAGE])
