"""Rows that were given for a lookup, whatever their form, as the columns that its enrichments declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.contract.rows import Row
from trivium.core.error_text import shown
from trivium.engine.original import plain
from trivium.notebook.errors import InputError, listed
from trivium.notebook.json_text import encoded
from trivium.notebook.lookup_keys import key_columns
from trivium.notebook.tables import arrow_table, is_table
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.convert import columns_of
from trivium.types.normalise import Normaliser
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec
from trivium.types.structs import derive

SINCE: Final = "valid_from"
UNTIL: Final = "valid_to"


@dataclass(frozen=True)
class GivenRows:
    """The declared columns by their names in the lookup, the columns of the key, and since and until when rows hold."""

    rows: pa.RecordBatch
    keys: list[pa.Array]
    since: pa.Array | None
    until: pa.Array | None


def read_rows(bound: LookupSpec, declaration: Declaration, given: Any) -> GivenRows:
    """Return rows in the declared types.

    Raises:
        InputError: they cannot be read so.
    """
    wanted = None
    if isinstance(given, tuple) and len(given) == 2 and (names := _column_names(given[1])) is not None:
        given, wanted = given[0], names
    if is_table(given):
        table = arrow_table(given)
        columns = key_columns(bound, declaration, table.schema.names, wanted)
        keys = [_key_column(bound, table, name, kind) for name, kind in zip(columns, _key_types(bound), strict=True)]
        return _of_columns(bound, _conformed(bound, table), keys)
    if isinstance(given, Mapping):
        rows, keys = _decoded(bound, given.values()), _as_keys(bound, _split(bound, list(given)))
        return _of_columns(bound, rows, keys)
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        facts = list(given)
        rows = _decoded(bound, facts)
        columns = key_columns(bound, declaration, list(facts[0]) if facts else [], wanted)
        return _of_columns(bound, rows, _as_keys(bound, [[fact.get(name) for fact in facts] for name in columns]))
    raise InputError(f"lookup {bound.name}: expected {{key: dict}}, a list of dicts or a table, got {given!r:.80}")


def _column_names(value: Any) -> tuple[str, ...] | None:
    names = (value,) if isinstance(value, str) else value
    return names if isinstance(names, tuple) and all(isinstance(each, str) for each in names) else None


def _key_types(bound: LookupSpec) -> list[pa.DataType]:
    return [field.type for field in bound.key_type] if pt.is_struct(bound.key_type) else [bound.key_type]


def _fields(bound: LookupSpec, names: Iterable[str]) -> list[FieldSpec]:
    """Return the columns to read: declared ones, and those of times where facts are wanted as of one.

    Raises:
        InputError: facts are wanted as of a time, and rows have none.
    """
    fields = list(bound.columns)
    if not bound.as_of:
        return fields
    if SINCE not in names:
        raise InputError(
            f"lookup {bound.name}: an enrichment asks for facts as of a time, so each row has to say {SINCE}, and "
            f"{UNTIL} where it ends before the next of its key begins; got {', '.join(names) or 'no columns'}. "
            f"Try: a table or a list of dicts with {SINCE} (null: ever since)"
        )
    for name in (SINCE, UNTIL):
        declared = next((spec for spec in fields if spec.wire == name), None)
        if declared is not None and not pt.is_timestamp(declared.type.arrow):
            raise InputError(
                f"lookup {bound.name}: expected {name} to be a time, but it is declared as {declared.type.arrow}"
            )
        if declared is None and name in names:
            fields.append(FieldSpec(name, name, spec_of_arrow(UTC_MICROSECONDS), nullable=True, required=False))
    return fields


def _of_columns(bound: LookupSpec, columns: pa.RecordBatch, keys: list[pa.Array]) -> GivenRows:
    names = columns.schema.names
    since, until = (columns.column(name) if bound.as_of and name in names else None for name in (SINCE, UNTIL))
    return GivenRows(columns.select([spec.wire for spec in bound.columns]), keys, since, until)


def _conformed(bound: LookupSpec, table: pa.Table) -> pa.RecordBatch:
    fields = _fields(bound, table.schema.names)
    problems = [problem for spec in fields if (problem := _column_problem(table.schema, spec))]
    if problems:
        raise listed(f"lookup {bound.name} cannot be read as declared", problems, "rename or cast those columns")
    arrays = [_column(bound, table, spec) for spec in fields]
    return pa.RecordBatch.from_arrays(arrays, names=[spec.wire for spec in fields])


def _column_problem(schema: pa.Schema, spec: FieldSpec) -> str | None:
    if spec.wire in schema.names:
        problem = type_problem(schema.field(spec.wire).type, spec.type)
    else:
        problem = "it is required and missing" if spec.required else None
    return f"column {spec.wire}: {problem}" if problem else None


def _column(bound: LookupSpec, table: pa.Table, spec: FieldSpec) -> pa.Array:
    if spec.wire not in table.schema.names:
        return conform(pa.nulls(table.num_rows), spec).column
    column = table.column(spec.wire).combine_chunks()
    conformed = conform(column, spec)
    for mask, reason in conformed.flaws:
        row = int(np.flatnonzero(mask)[0])
        given = shown(plain(column[row]), 80)
        raise InputError(f"lookup {bound.name}: row {row}, column {spec.wire}: {reason}, got {given}")
    return conformed.column


def _key_column(bound: LookupSpec, table: pa.Table, key: str, kind: pa.DataType) -> pa.Array:
    spec = FieldSpec(key, key, spec_of_arrow(kind), nullable=True, required=False)
    problem = type_problem(table.schema.field(key).type, spec.type)
    if problem:
        raise InputError(
            f"lookup {bound.name}: key column {key}: {problem}. Try: cast it to the type of the event's key"
        )
    conformed = conform(table.column(key).combine_chunks(), spec)
    for _, reason in conformed.flaws:
        raise InputError(f"lookup {bound.name}: key column {key}: {reason}")
    return conformed.column


def _decoded(bound: LookupSpec, facts: Iterable[Any]) -> pa.RecordBatch:
    """Return dicts through the JSON decoder, as events are."""
    given = list(facts)
    names = list(dict.fromkeys(name for fact in given if isinstance(fact, Mapping) for name in fact))
    fields = _fields(bound, names) if given else list(bound.columns)
    specs = [replace(spec, name=f"field_{number}") for number, spec in enumerate(fields)]
    decode = msgspec.json.Decoder(derive(Row, specs)).decode
    normalise = Normaliser(specs)
    rows = []
    for number, fact in enumerate(given):
        try:
            rows.append(decode(encoded(fact)))
            normalise(rows[-1])
        except (msgspec.MsgspecError, InputError, TypeError, ValueError) as error:
            raise InputError(f"lookup {bound.name}: row {number} ({fact!r:.80}): {error}") from error
    return columns_of(rows, specs).rename_columns([spec.wire for spec in fields])


def _split(bound: LookupSpec, keys: Sequence[Any]) -> list[list[Any]]:
    """Return the values of keys, a list for each field of theirs."""
    if not pt.is_struct(bound.key_type):
        return [list(keys)]
    names = [field.name for field in bound.key_type]
    for key in keys:
        if not isinstance(key, tuple) or len(key) != len(names):
            message = f"lookup {bound.name}: expected tuples of {', '.join(names)} as keys, got {key!r:.80}"
            raise InputError(f"{message}. Try: {{({', '.join(names)}): {{…}}}}")
    return [list(values) for values in zip(*keys, strict=True)] or [[] for _ in names]


def _as_keys(bound: LookupSpec, columns: Sequence[list[Any]]) -> list[pa.Array]:
    found = []
    for values, kind in zip(columns, _key_types(bound), strict=True):
        try:
            found.append(pa.array(values, kind))
        except (pa.ArrowException, TypeError) as error:
            raise InputError(f"lookup {bound.name}: expected keys of type {kind}: {error}") from error
    return found
