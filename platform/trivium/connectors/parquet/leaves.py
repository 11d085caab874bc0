"""The columns of values that a Parquet file's columns are made of on disk, and what their values take in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

_LONGEST_PREFIXED: Final = 1 << 18
_WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class Leaf:
    """A column of values on disk; `name` is that of the column it belongs to, `width` None for values of any length."""

    at: int
    path: str
    name: str
    width: int | None
    nested: bool


@dataclass(frozen=True)
class Size:
    """Sizes of the values of a leaf in one row group: how many a row has, their mean and a bound for the longest."""

    per_row: float
    mean: float
    longest: int


def leaves_of(opened: pq.ParquetFile, columns: Sequence[str]) -> list[Leaf]:
    """Return the leaves of these columns, in the order of `columns`.

    They are counted, since a dot in a column's name makes its path ambiguous.
    """
    found: dict[str, list[Leaf]] = {name: [] for name in columns}
    at = 0
    for field in opened.schema_arrow:
        count = _leaf_count(field.type)
        for place in range(at, at + count) if field.name in found else ():
            leaf = opened.schema.column(place)
            width = leaf.length if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(leaf.physical_type)
            nested = leaf.max_repetition_level > 0 or pt.is_nested(field.type)
            found[field.name].append(Leaf(place, leaf.path, field.name, width, nested))
        at += count
    return [leaf for name in columns for leaf in found[name]]


def _leaf_count(arrow: pa.DataType) -> int:
    if isinstance(arrow, pa.BaseExtensionType):
        return _leaf_count(arrow.storage_type)
    return sum(_leaf_count(arrow.field(at).type) for at in range(arrow.num_fields)) if pt.is_nested(arrow) else 1


def leaf_arrays(array: pa.Array) -> Iterator[pa.Array]:
    """Return the arrays of values a column is made of, in the order of `leaves_of`."""
    if isinstance(array, pa.ExtensionArray):
        yield from leaf_arrays(array.storage)
    elif pt.is_struct(array.type):
        for at in range(array.type.num_fields):
            yield from leaf_arrays(array.field(at))
    elif pt.is_map(array.type):
        yield from leaf_arrays(array.keys)
        yield from leaf_arrays(array.items)
    elif pt.is_nested(array.type):
        yield from leaf_arrays(array.values)
    else:
        yield array


def size_of(leaf: Leaf, chunk: pq.ColumnChunkMetaData, rows: int) -> Size:
    """Bound the values of a leaf in a row group by what the footer says.

    A value of a dictionary can be as long as the chunk, one that shares a prefix with the last one longer than that.
    """
    values, encoded = max(1, chunk.num_values), chunk.total_uncompressed_size
    if leaf.width is not None:
        return Size(values / rows, leaf.width, leaf.width)
    mean = encoded / values
    if "DELTA_BYTE_ARRAY" in chunk.encodings:
        return Size(values / rows, mean, min(encoded, _LONGEST_PREFIXED))
    return Size(values / rows, mean, encoded if chunk.has_dictionary_page else int(mean))
