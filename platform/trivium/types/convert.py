"""Between columns and structs: the two forms one batch of events can take, holding the same values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, countOf
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.types as pt
from msgspec import Struct
from msgspec.structs import astuple

from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.structs import derive_positional
from trivium.types.times import from_datetimes


class StructBuilder:
    """Builds structs of one row class from conformed columns under their Python names."""

    def __init__(self, row: type[msgspec.Struct], fields: Sequence[FieldSpec]) -> None:
        self._struct = derive_positional(row, fields)
        readers = {spec.name: spec.type.kind.column_reader(spec.type) for spec in fields}
        self._columns = [(name, readers[name]) for name in self._struct.__struct_fields__]

    def build(self, columns: pa.RecordBatch) -> list[Any]:
        """Return one struct a row."""
        if not self._columns:
            return [self._struct() for _ in range(columns.num_rows)]
        return list(map(self._struct, *(read(columns.column(name)) for name, read in self._columns)))


def columns_of(rows: Sequence[Any], fields: Sequence[FieldSpec]) -> pa.RecordBatch:
    """Return structs as columns under their Python names."""
    columns = fields_of(rows, [spec.name for spec in fields])
    arrays = [
        array_of(written(values, spec.type), spec.type.arrow) for spec, values in zip(fields, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([spec.arrow for spec in fields]))


def array_of(values: Sequence[Any], arrow: pa.DataType) -> pa.Array:
    """Return values as one column."""
    return from_datetimes(values) if pt.is_timestamp(arrow) else pa.array(values, arrow)


def fields_of(rows: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    """Return the values of each of these fields of structs."""
    kind: Any = type(rows[0]) if rows else None
    if kind is None or not issubclass(kind, Struct) or countOf(map(type, rows), kind) < len(rows):
        return [list(map(attrgetter(name), rows)) for name in names]
    # One class: taking structs apart whole is three times faster than a field at a time.
    own = kind.__struct_fields__
    flat = list(chain.from_iterable(map(astuple, rows)))
    return [flat[own.index(name) :: len(own)] for name in names]


def values_of(rows: Sequence[Any], spec: FieldSpec) -> list[Any]:
    """Return one field of each row, as values pyarrow takes."""
    return written(list(map(attrgetter(spec.name), rows)), spec.type)


def written(values: list[Any], spec: TypeSpec) -> list[Any]:
    """Return the values of a field, as pyarrow takes them."""
    write = spec.kind.writer(spec)
    return values if write is None else [None if value is None else write(value) for value in values]
