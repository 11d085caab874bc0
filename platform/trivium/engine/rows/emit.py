"""Rows an executor returned, held to its declaration and turned into rows of the table."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from operator import countOf
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.core.error_text import class_name, decode_error, shown
from trivium.engine.rows.lineage import Parents, count_distinct
from trivium.types.conform import conform
from trivium.types.convert import array_of, fields_of, written
from trivium.types.spec import FieldSpec, TypeSpec


@dataclass
class Checked:
    """Conformed output columns, the input each row came from, and for each bad input why it is refused."""

    columns: pa.RecordBatch
    parents: Parents
    refused: dict[int, str] = field(default_factory=dict)


def check_rows(rows: Sequence[Any], parents: Sequence[int], fields: Sequence[FieldSpec]) -> Checked:
    """Check structs an executor returned; return them as columns."""
    reasons: dict[int, str] = {}
    arrays: list[pa.Array] = []
    settled: set[str] = set()
    for spec, values in zip(fields, fields_of(rows, [spec.name for spec in fields]), strict=True):
        bad: dict[int, str] = {}
        array = _exact_column(values, spec)
        if array is None:
            array, bad = _by_value(values, spec.type, spec.type.kind.wide(spec.type))
        elif _needs_no_more(array, spec):
            settled.add(spec.name)
        arrays.append(array)
        for row, reason in bad.items():
            reasons.setdefault(row, f"{spec.name}: {reason}")
    columns, flawed = _conformed(arrays, fields, settled)
    refused = Checked(columns, np.asarray(parents, np.int64))
    return _in_order(without_refused(refused, flawed | reasons))


def check_columns(pieces: Sequence[tuple[pa.RecordBatch, Parents]], fields: Sequence[FieldSpec]) -> Checked:
    """Check batches an executor returned; return them as columns."""
    parents = np.concatenate([piece for _, piece in pieces]) if pieces else np.empty(0, np.int64)
    reasons: dict[int, str] = {}
    parts = []
    start = 0
    for rows, _ in pieces:
        part, flawed = _conformed(_declared(rows, fields), fields)
        reasons.update({start + row: reason for row, reason in flawed.items()})
        parts.append(part)
        start += rows.num_rows
    whole = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
    return _in_order(without_refused(Checked(whole, parents), reasons))


def _declared(rows: pa.RecordBatch, fields: Sequence[FieldSpec]) -> list[pa.Array]:
    """Return the declared columns in their order, in whatever types they were given."""
    return [
        rows.column(spec.name) if spec.name in rows.schema.names else pa.nulls(rows.num_rows, spec.type.arrow)
        for spec in fields
    ]


def _conformed(
    arrays: Sequence[pa.Array], fields: Sequence[FieldSpec], settled: Container[str] = ()
) -> tuple[pa.RecordBatch, dict[int, str]]:
    """Return columns in the declared types, and the rows with a value that does not fit.

    Nothing is left to do to the columns of the `settled` fields.
    """
    reasons: dict[int, str] = {}
    conformed = []
    for array, spec in zip(arrays, fields, strict=True):
        if spec.name in settled:
            conformed.append(array)
            continue
        result = conform(array, spec)
        conformed.append(result.column)
        for mask, reason in result.flaws:
            for row in np.flatnonzero(mask):
                reasons.setdefault(int(row), f"{spec.name}: {reason}")
    return pa.RecordBatch.from_arrays(conformed, names=[spec.name for spec in fields]), reasons


def _in_order(checked: Checked) -> Checked:
    """Return rows by input, so that rows of one input follow one another whatever order an executor gave them in."""
    if not np.any(np.diff(checked.parents) < 0):
        return checked
    order = np.argsort(checked.parents, kind="stable")
    return Checked(checked.columns.take(pa.array(order)), checked.parents[order], checked.refused)


def without_refused(checked: Checked, reasons: Mapping[int, str]) -> Checked:
    """Take out every row of an input of which one row (a key of `reasons`) is refused."""
    if not reasons:
        return checked
    refused = dict(checked.refused)
    for row, reason in reasons.items():
        refused.setdefault(int(checked.parents[row]), reason)
    keep = np.flatnonzero(~np.isin(checked.parents, np.fromiter(refused, np.int64)))
    return Checked(checked.columns.take(pa.array(keep)), checked.parents[keep], refused)


def refuse_times_outside(checked: Checked, earliest: pa.Scalar, latest: pa.Scalar) -> Checked:
    """Refuse inputs with a row whose event_time lies outside [earliest, latest]."""
    times = checked.columns.column("event_time")
    moments = np.asarray(times.view(pa.int64()))
    if not len(moments) or (earliest.value <= moments.min() and moments.max() <= latest.value):
        return checked
    outside = pc.or_(pc.less(times, earliest), pc.greater(times, latest))
    rows = np.flatnonzero(outside.to_numpy(zero_copy_only=False))
    reason = f"event_time: expected {earliest.as_py().date()} to {latest.as_py().date()}"
    return without_refused(checked, {int(row): f"{reason}, got {times[int(row)]}" for row in rows})


def refuse_repeated_identity(checked: Checked) -> Checked:
    """Refuse inputs that gave two rows with one event_id."""
    if len(checked.parents) == count_distinct(checked.parents):
        return checked
    identities = list(zip(checked.parents.tolist(), checked.columns.column("event_id").to_pylist(), strict=True))
    repeated = {identity for identity, count in Counter(identities).items() if count > 1}
    reasons = {
        row: f"event_id: two rows of one input share {shown(identity[1])}"
        for row, identity in enumerate(identities)
        if identity in repeated
    }
    return without_refused(checked, reasons)


def _exact_column(values: list[Any], spec: FieldSpec) -> pa.Array | None:
    """Return one field's values in a column wide enough to judge it, None where one is not exactly of its type."""
    if _of_declared_types(values, spec.type):
        with contextlib.suppress(Exception):  # a time zone, for one, has code of its own
            return array_of(written(values, spec.type), spec.type.kind.wide(spec.type))
    return None


def _needs_no_more(array: pa.Array, spec: FieldSpec) -> bool:
    """Return whether a column of values of the exact type is conformed already."""
    kind = spec.type
    exact = not kind.limits and array.type == kind.arrow and (spec.nullable or not array.null_count)
    return exact and kind.kind.fits(array)


def _of_declared_types(values: Sequence[Any], spec: TypeSpec) -> bool:
    """Return whether every value, and every value inside it, is exactly of a type that is written as it stands."""
    allowed = spec.kind.types(spec)
    if countOf(map(type, values), allowed[0]) < len(values) and not set(map(type, values)) <= {*allowed, NoneType}:
        return False
    if not spec.kind.inside(spec):
        return True
    there = [value for value in values if value is not None]
    inside = spec.kind.inside_values(spec, there)
    return all(_of_declared_types(each, kind) and kind.kind.have_places(each) for kind, each in inside)


def _by_value(values: list[Any], spec: TypeSpec, arrow: pa.DataType) -> tuple[pa.Array, dict[int, str]]:
    bad: dict[int, str] = {}
    good: list[Any] = []
    for row, value in enumerate(values):
        try:
            plain = spec.written(value)
            array_of([plain], arrow)
            good.append(plain)
        except Exception as error:  # noqa: BLE001
            good.append(None)
            bad[row] = (
                f"expected {spec.arrow}, got {shown(value, 80)} ({class_name(value)}): {decode_error(error, 100)}"
            )
    return array_of(good, arrow), bad
