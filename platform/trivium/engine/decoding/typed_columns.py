"""Typed columns to events of declared types: the second door into the worker, with the decoder's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from trivium.contract.declaration import Declaration
from trivium.engine.batch import TypedBatch
from trivium.engine.outcomes import UNROUTED, Reject
from trivium.types.column_types import is_text, type_problem
from trivium.types.conform import conform
from trivium.types.kinds.text import is_utf8
from trivium.types.spec import FieldSpec

Rows = npt.NDArray[np.int64]


@dataclass
class Routed:
    """Conformed columns by event type with their batch rows, dropped rows by (pseudo) event type, and rejects."""

    events: dict[str, tuple[Rows, pa.RecordBatch]] = field(default_factory=dict)
    dropped: dict[str, Rows] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


def schema_problems(
    schema: pa.Schema, declarations: Mapping[str, Declaration], tag_field: str | None, timezone: str | None
) -> list[str]:
    """Return why columns of this schema cannot be read as the declared events; one sentence a column.

    `tag_field` is the column that names the event type, None where the source says it of all rows.
    """
    problems = [] if tag_field is None else _tag_problems(schema, tag_field)
    for event_type, declaration in declarations.items():
        for spec in declaration.event_fields:
            if problem := _column_problem(schema, spec, timezone):
                problems.append(f"column {spec.wire} ({event_type}.{spec.name}): {problem}")
    return problems


def _tag_problems(schema: pa.Schema, tag_field: str) -> list[str]:
    if tag_field not in schema.names:
        return [f"column {tag_field}: the event type is read from it and it is missing"]
    tag = schema.field(tag_field).type
    plain = tag.value_type if pt.is_dictionary(tag) else tag
    return [] if is_text(plain) else [f"column {tag_field}: expected the event type as a string, got {tag}"]


def _column_problem(schema: pa.Schema, spec: FieldSpec, timezone: str | None) -> str | None:
    if spec.wire not in schema.names:
        return "it is required and missing" if spec.required else None
    return type_problem(schema.field(spec.wire).type, spec.type, timezone)


def columns_read(declarations: Mapping[str, Declaration], tag_field: str | None) -> list[str]:
    """Return the columns to read of a typed source: the routed field and the declared ones, in a stable order."""
    wires = {spec.wire for declaration in declarations.values() for spec in declaration.event_fields}
    tag = [] if tag_field is None else [tag_field]
    return [*tag, *sorted(wires.difference(tag))]


def route(batch: TypedBatch, declarations: Mapping[str, Declaration], tag_field: str | None) -> Routed:
    """Split typed columns by event type and hold each part to its declaration.

    `tag_field` is the column that names the type of a row, where the batch does not say it of all.
    """
    out = Routed()
    if batch.event_type is not None:
        _conform_events(batch, np.arange(len(batch), dtype=np.int64), declarations[batch.event_type], out)
        return out
    if tag_field is None:
        raise ValueError("expected a batch that says the type of its rows: no column names it in this pipeline")
    tags = batch.columns.column(tag_field)
    tags = tags.dictionary_decode() if pt.is_dictionary(tags.type) else tags
    tags = tags.cast(pa.large_string()) if pt.is_string_view(tags.type) else tags
    if len(declarations) == 1 and pc.all(pc.equal(tags, next(iter(declarations))), skip_nulls=False).as_py():
        _conform_events(batch, np.arange(len(batch), dtype=np.int64), next(iter(declarations.values())), out)
        return out
    *typed, other = _by_type(tags, list(declarations))
    for declaration, rows in zip(declarations.values(), typed, strict=True):
        if len(rows):
            _conform_events(batch, rows, declaration, out)
    tagged = tags.is_valid().to_numpy(zero_copy_only=False)[other]
    if tagged.any():
        _unrouted(tags, other[tagged], out)
    error = f"expected the event type as a string in {tag_field!r}, got null"
    out.rejects += [Reject(int(row), "decode", "no_tag", error) for row in other[~tagged]]
    return out


def _by_type(tags: pa.Array, event_types: list[str]) -> list[Rows]:
    """Return the rows of each event type, in their order, and last those of none."""
    codes = pc.fill_null(pc.index_in(tags, pa.array(event_types, tags.type)), len(event_types)).to_numpy()
    rows = np.argsort(codes, kind="stable").astype(np.int64)
    return np.split(rows, np.cumsum(np.bincount(codes, minlength=len(event_types) + 1))[:-1])


def _unrouted(tags: pa.Array, unknown: Rows, out: Routed) -> None:
    readable = np.array([is_utf8(tags[int(row)].as_buffer()) for row in unknown], np.bool_)
    if readable.any():
        out.dropped[UNROUTED] = unknown[readable]
    error = "the event type is not valid UTF-8"
    out.rejects += [Reject(int(row), "decode", "encoding", error) for row in unknown[~readable]]


def _conform_events(batch: TypedBatch, rows: Rows, declaration: Declaration, out: Routed) -> None:
    given, chosen = dict(zip(batch.columns.schema.names, batch.columns.columns, strict=True)), pa.array(rows)
    arrays: list[pa.Array] = []
    reasons: dict[int, str] = {}
    for spec in declaration.event_fields:
        column = given.get(spec.wire)
        if column is None:
            column = pa.nulls(len(rows), spec.type.arrow)
        elif len(rows) < len(batch):
            column = column.take(chosen)
        conformed = conform(column, spec, batch.timezone)
        arrays.append(conformed.column)
        for mask, reason in conformed.flaws:
            for row in np.flatnonzero(mask):
                reasons.setdefault(int(row), f"{reason} - at `$.{spec.wire}`")
    schema = pa.schema([spec.arrow.with_nullable(True) for spec in declaration.event_fields])
    columns = pa.RecordBatch.from_arrays(arrays, schema=schema)
    if reasons:
        keep = np.setdiff1d(np.arange(len(rows)), np.fromiter(reasons, np.int64))
        out.rejects += [
            Reject(int(rows[row]), "decode", "invalid", reason, declaration.event_type)
            for row, reason in reasons.items()
        ]
        rows, columns = rows[keep], columns.take(pa.array(keep))
    out.events[declaration.event_type] = (rows, columns)
