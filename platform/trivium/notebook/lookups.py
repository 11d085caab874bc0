"""Lookups from tables in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.worker_spec import LookupSpec, WorkerSpec
from trivium.connectors.memory.keyed_rows import KeyedRows
from trivium.contract.declaration import Declaration
from trivium.contract.lookup import Answer, Lookup
from trivium.contract.rows import Row
from trivium.core.clock import Deadline
from trivium.core.error_text import shown
from trivium.core.suggest import one_of
from trivium.engine.original import plain
from trivium.notebook.errors import InputError, listed
from trivium.notebook.json_text import encoded
from trivium.notebook.tables import arrow_table, is_table
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.convert import columns_of
from trivium.types.normalise import Normaliser
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import FieldSpec
from trivium.types.structs import derive


class MemoryLookup:
    """Rows by key; every key answers at most one row."""

    in_memory: ClassVar[bool] = True

    def __init__(self, rows: pa.RecordBatch, keys: list[Any]) -> None:
        self._rows = KeyedRows(rows, keys)

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys from memory."""
        return self._rows.answer(keys)


def open_lookups(spec: WorkerSpec, declaration: Declaration, given: Mapping[str, Any]) -> dict[str, Lookup]:
    """Return the lookups a pipeline of one executor declares, from `{name: rows}`.

    Rows are `{key: dict}`, a list of dicts, a table, or `(list or table, name of the key's column)`. The key's column
    is by default called like the event's field the enrichment is keyed by.

    Raises:
        InputError: a lookup is missing, unknown, or cannot be read as declared.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"lookups=: expected {{name: rows}}, got {type(given).__name__}")
    _check_names(spec, declaration, given)
    return {name: _opened(bound, declaration, given[name]) for name, bound in spec.lookups.items()}


def _check_names(spec: WorkerSpec, declaration: Declaration, given: Mapping[str, Any]) -> None:
    problems = [
        f"{name} is missing: {_answers_of(bound, declaration)}"
        for name, bound in spec.lookups.items()
        if name not in given
    ]
    problems += [
        f"{name} is no lookup of the executor; {one_of(name, spec.lookups) or 'it has none'}"
        for name in given
        if name not in spec.lookups
    ]
    if problems:
        raise listed(
            "lookups=", problems, 'lookups={"NAME": {key: {"field": value}}}, a table, or (table, "key column")'
        )


def _answers_of(bound: LookupSpec, declaration: Declaration) -> str:
    names = [spec.wire for spec in bound.columns]
    return f"it answers {', '.join(names)} by {' and '.join(_keys(bound, declaration))}"


def _keys(bound: LookupSpec, declaration: Declaration) -> list[str]:
    """Return the event's fields this lookup is keyed by, under their names and their wire names."""
    used = {each.key for each in declaration.enrichments.values() if each.lookup == bound.name}
    fields = [spec for spec in declaration.event_fields if spec.name in used]
    return list(dict.fromkeys(name for spec in fields for name in (spec.name, spec.wire)))


def _opened(bound: LookupSpec, declaration: Declaration, given: Any) -> MemoryLookup:
    wanted = None
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], str):
        given, wanted = given
    if is_table(given):
        table = arrow_table(given)
        key = _key_column(bound, declaration, table.schema.names, wanted)
        rows, keys = _conformed(bound, table), _key_values(bound, table, key)
    elif isinstance(given, Mapping):
        rows, keys = _decoded(bound, given.values()), _as_keys(bound, given)
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        facts = list(given)
        rows = _decoded(bound, facts)
        key = _key_column(bound, declaration, list(facts[0]) if facts else [], wanted)
        keys = _as_keys(bound, [fact.get(key) for fact in facts])
    else:
        raise InputError(f"lookup {bound.name}: expected {{key: dict}}, a list of dicts or a table, got {given!r:.80}")
    _check_keys(bound, keys)
    return MemoryLookup(rows, keys)


def _key_column(bound: LookupSpec, declaration: Declaration, names: list[str], wanted: str | None) -> str:
    candidates = [wanted] if wanted is not None else _keys(bound, declaration)
    found = [name for name in candidates if name in names]
    if len(found) == 1:
        return found[0]
    got = f"it has {', '.join(names) or 'no columns'}"
    raise InputError(
        f"lookup {bound.name}: expected the key in a column {' or '.join(candidates)}, but {got}. "
        f'Try: lookups={{"{bound.name}": (table, "NAME OF THE KEY COLUMN")}}'
    )


def _conformed(bound: LookupSpec, table: pa.Table) -> pa.RecordBatch:
    problems = [problem for spec in bound.columns if (problem := _column_problem(table.schema, spec))]
    if problems:
        raise listed(f"lookup {bound.name} cannot be read as declared", problems, "rename or cast those columns")
    arrays = [_column(bound, table, spec) for spec in bound.columns]
    return pa.RecordBatch.from_arrays(arrays, names=[spec.wire for spec in bound.columns])


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


def _key_values(bound: LookupSpec, table: pa.Table, key: str) -> list[Any]:
    spec = FieldSpec(key, key, spec_of_arrow(bound.key_type), nullable=True, required=False)
    problem = type_problem(table.schema.field(key).type, spec.type)
    if problem:
        raise InputError(
            f"lookup {bound.name}: key column {key}: {problem}. Try: cast it to the type of the event's key"
        )
    conformed = conform(table.column(key).combine_chunks(), spec)
    for _, reason in conformed.flaws:
        raise InputError(f"lookup {bound.name}: key column {key}: {reason}")
    return conformed.column.to_pylist()  # type: ignore[no-any-return]


def _decoded(bound: LookupSpec, facts: Iterable[Any]) -> pa.RecordBatch:
    """Return dicts through the JSON decoder, as events are."""
    specs = [replace(spec, name=f"field_{number}") for number, spec in enumerate(bound.columns)]
    decode = msgspec.json.Decoder(derive(Row, specs)).decode
    normalise = Normaliser(specs)
    rows = []
    for number, fact in enumerate(facts):
        try:
            rows.append(decode(encoded(fact)))
            normalise(rows[-1])
        except (msgspec.MsgspecError, InputError, TypeError, ValueError) as error:
            raise InputError(f"lookup {bound.name}: row {number} ({fact!r:.80}): {error}") from error
    return columns_of(rows, specs).rename_columns([spec.wire for spec in bound.columns])


def _as_keys(bound: LookupSpec, keys: Iterable[Any]) -> list[Any]:
    try:
        return pa.array(list(keys), bound.key_type).to_pylist()  # type: ignore[no-any-return]
    except (pa.ArrowException, TypeError) as error:
        raise InputError(f"lookup {bound.name}: expected keys of type {bound.key_type}: {error}") from error


def _check_keys(bound: LookupSpec, keys: list[Any]) -> None:
    if None in keys:
        raise InputError(f"lookup {bound.name}: expected a key in every row, got none in row {keys.index(None)}")
    if len(set(keys)) == len(keys):
        return
    counts = pc.value_counts(pa.array(keys))
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    raise InputError(
        f"lookup {bound.name}: expected one row a key, got {len(twice)} keys more than once, such as "
        f"{twice[0].as_py()!r}. Try: remove the repeated rows"
    )
