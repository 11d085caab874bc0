"""Row groups: the waiting tables of a file as one, sorted by event type and padded to the file's columns.

Every table has its own columns only. What one lacks is filled in once a row group, one array for all rows in a stretch
that lack a column, so that columns of other event types cost next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.files.lineage import EVENT_TYPE

TypeTables = Mapping[str | None, Sequence[pa.Table]]
"""Tables by event type, sorted by it; all under None where there is none."""


def by_type(tables: Sequence[pa.Table], schema: pa.Schema) -> TypeTables:
    """Return the rows of all tables by event type, those of one type in the order they came."""
    if EVENT_TYPE not in schema.names:
        return {None: tables} if tables else {}
    found: dict[str | None, list[pa.Table]] = defaultdict(list)
    for table in tables:
        types = pc.unique(table[EVENT_TYPE]).to_pylist()
        for name in types:
            found[name].append(table if len(types) == 1 else table.filter(pc.equal(table[EVENT_TYPE], name)))
    return {name: found[name] for name in sorted(found, key=str)}


def row_group(types: TypeTables, schema: pa.Schema) -> pa.Table:
    """Return the rows of all types, one type after the other, in the columns of the schema."""
    return _padded(list(chain.from_iterable(types.values())), schema)


def _padded(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    holders: dict[str, list[tuple[int, pa.ChunkedArray]]] = defaultdict(list)
    starts, length = [], 0
    for table in tables:
        starts.append(length)
        length += table.num_rows
        for name, column in zip(table.column_names, table.columns, strict=True):
            holders[name].append((starts[-1], column))
    columns = [_column(holders[field.name], field.type, length) for field in schema]
    return pa.table(columns, schema=schema).unify_dictionaries()


def _column(parts: Sequence[tuple[int, pa.ChunkedArray]], kind: pa.DataType, length: int) -> pa.ChunkedArray:
    """Return one column of all rows: its parts, each with the row it starts at, and nulls between them."""
    chunks: list[pa.Array] = []
    filled = 0
    for start, part in parts:
        if start > filled:
            chunks.append(pa.nulls(start - filled, kind))
        chunks += _encoded(part, kind).chunks
        filled = start + len(part)
    if filled < length:
        chunks.append(pa.nulls(length - filled, kind))
    return pa.chunked_array(chunks, kind)


def _encoded(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column.cast(kind)
