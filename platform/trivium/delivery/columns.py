"""Columns of a table and of a pipeline as one set: every column the table ever had, each in the wider of its types.

A column that the pipeline does not write is null in its rows, and stays, so that a release can be rolled back and an
event type retired. A new nullable column is added. A lossless widening is taken, in either direction: the table becomes
what the pipeline writes, or the pipeline's values are written in the table's wider type. All else is a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from deltalake import Field, Schema

_WIDER: Final = (("byte", "short", "integer", "long"), ("float", "double"))
"""Delta's names of types, each holding all values of those before it."""


@dataclass(frozen=True)
class Conflict:
    """A column that cannot be both: `table` and `pipeline` are its types there, None where it is not there at all."""

    column: str
    table: str | None
    pipeline: str | None
    reason: str


@dataclass(frozen=True)
class MergedColumns:
    """Columns that a table has to have for a pipeline to write into it.

    `written` are the pipeline's columns in the types they are written as, `columns` all of the table's afterwards.
    `added` are new, `relaxed` get children, or themselves, that may be null, and `widened` get a wider type.
    """

    written: pa.Schema
    columns: Schema
    added: tuple[Field, ...]
    relaxed: tuple[Field, ...]
    widened: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def merged(table: Schema, pipeline: pa.Schema) -> MergedColumns:
    """Return the columns of a table and of a pipeline that is to write into it, as one set."""
    present = {field.name: field for field in table.fields}
    wanted = {field.name: field for field in Schema.from_arrow(stored(pipeline)).fields}
    added: list[Field] = []
    relaxed: list[Field] = []
    widened: list[str] = []
    conflicts = [
        Conflict(name, shown(field), None, "is required in the table and the pipeline does not write it")
        for name, field in present.items()
        if name not in wanted and not field.nullable
    ]
    after = dict(present)
    written = dict(zip(pipeline.names, pipeline, strict=True))
    for name, field in wanted.items():
        known = present.get(name)
        if known is None:
            if field.nullable:
                added.append(field)
                after[name] = field
            else:
                conflicts.append(Conflict(name, None, shown(field), "is new and required"))
        elif same_type(field, known):
            if not _as_free(known, field):
                relaxed.append(field)
                after[name] = field
        elif _holds(known, field):
            written[name] = written[name].with_type(_arrow(known).type)
        elif _holds(field, known):
            widened.append(name)
            after[name] = _widened(known, field)
        else:
            conflicts.append(Conflict(name, shown(known), shown(field), "has another type"))
    order = [*present, *(name for name in wanted if name not in present)]
    columns = Schema([after[name] for name in order if name in after])
    made = pa.schema([written[name] for name in pipeline.names])
    return MergedColumns(made, columns, tuple(added), tuple(relaxed), tuple(widened), tuple(conflicts))


def same_type(one: Field, other: Field) -> bool:
    """Return whether two columns agree in type, nullability and comments aside."""
    return bool(_type(one) == _type(other))


def stored(schema: pa.Schema) -> pa.Schema:
    """Return the schema without what a file may do on its own: dictionaries."""
    plain = (f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in schema)
    return pa.schema(list(plain))


def shown(field: Field) -> str:
    """Return a column's type as Delta names it, for people."""
    kind = json.loads(field.type.to_json())
    return f"{kind if isinstance(kind, str) else json.dumps(kind)}{'' if field.nullable else ' not null'}"


def widens(narrow: pa.DataType, wide: pa.DataType) -> bool:
    """Return whether every value of one Arrow type is one of the other, of those that a table's column may become."""
    fields = (Schema.from_arrow(pa.schema([pa.field("it", kind)])).fields[0] for kind in (wide, narrow))
    return _holds(*fields)


def _holds(wide: Field, narrow: Field) -> bool:
    one, other = _type(wide), _type(narrow)
    return any(
        one in order and other in order and order.index(one) > order.index(other)
        for order in _WIDER
        if isinstance(one, str) and isinstance(other, str)
    )


def _widened(known: Field, wide: Field) -> Field:
    return Field(known.name, wide.type, nullable=known.nullable, metadata=known.metadata)


def _as_free(known: Field, field: Field) -> bool:
    """Return whether the table's column may be null wherever the pipeline's may."""
    if known.nullable and not field.nullable:
        field = Field(field.name, field.type, nullable=True)
    return bool(_declared(known) == _declared(field))


def _arrow(field: Field) -> pa.Field:
    return pa.schema(Schema([field]).to_arrow()).field(0)


def _type(field: Field) -> Any:
    return _relaxed(_declared(field)["type"])


def _declared(field: Field) -> Mapping[str, Any]:
    """Return the column as JSON, without what other engines note down with it."""
    declared: dict[str, Any] = json.loads(field.to_json(), object_hook=lambda part: part | {"metadata": {}})
    return declared


def _relaxed(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_relaxed(each) for each in kind]
    if not isinstance(kind, dict):
        return kind
    always = {name: True for name in ("nullable", "containsNull", "valueContainsNull") if name in kind}
    return {name: _relaxed(value) for name, value in kind.items()} | always


def completed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns and types of a schema; nullable ones that they lack are null."""
    for column in schema:
        if column.nullable and column.name not in rows.column_names:
            rows = rows.append_column(column.name, pa.nulls(rows.num_rows, column.type))
    return rows.select(schema.names).cast(schema)
