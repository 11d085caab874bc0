"""Answers of lookups: held to the contract before anybody uses them, and put together as facts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.lookup import Answer
from trivium.core.error_text import class_name, raised
from trivium.core.errors import LookupAnswerError, RunError
from trivium.engine.lookups.asks import Ask, Found, RowsOfKeys
from trivium.engine.lookups.fetch import Facts, KeyState


def checked(answer: object, name: str, keys: int, schema: pa.Schema) -> Found:
    """Return the declared columns of an answer and the number of each key's row.

    Raises:
        LookupAnswerError: it is none; names the lookup, what was expected and what came.
    """
    answer = checked_shape(answer, name, keys)
    rows, index = answer.rows, answer.index
    places = (index.drop_null() if index.null_count else index).to_numpy()
    outside = places[(places < 0) | (places >= rows.num_rows)]
    if len(outside):
        raise _wrong(name, f"places 0 to {rows.num_rows - 1} or null in its index", str(outside[0]))
    numbers = index.fill_null(-1).to_numpy() if index.null_count else places
    return Found(_declared(rows, name, schema), numbers, answer.stale)


def checked_shape(answer: object, name: str, keys: int) -> Answer:
    """Return an answer whose classes and length are right.

    Raises:
        LookupAnswerError: they are not.
    """
    if not isinstance(answer, Answer):
        raise _wrong(name, "an Answer", class_name(answer))
    if not isinstance(answer.rows, pa.RecordBatch):
        raise _wrong(name, "rows as a pyarrow.RecordBatch", class_name(answer.rows))
    if not isinstance(answer.index, pa.Array) or not pt.is_int32(answer.index.type):
        raise _wrong(name, "an int32 index", str(getattr(answer.index, "type", class_name(answer.index))))
    if len(answer.index) != keys:
        raise _wrong(name, f"an index of {keys} entries, one a key", str(len(answer.index)))
    return answer


def no_answer(name: str, error: BaseException) -> RunError:
    """Return the error of a lookup that failed in a way that trying again cannot mend; it has `error` as its cause."""
    failed = RunError(f"lookup {name} gave no usable answer: {raised(error)}")
    failed.__cause__ = error
    return failed


def facts_of(ask: Ask, schema: pa.Schema) -> Facts:
    """Return the facts of an ask that has ended."""
    rows, index = _gathered(ask.parts, len(ask.names), schema)
    plain = bool((ask.states <= KeyState.MISSING).all())
    return Facts(rows, index, None if plain else ask.states, ask.error)


def _gathered(parts: list[RowsOfKeys], keys: int, schema: pa.Schema) -> tuple[pa.RecordBatch, pa.Int32Array]:
    numbers = np.full(keys, -1, np.int32)
    batches: list[pa.RecordBatch] = []
    start = 0
    by_rows: dict[int, list[RowsOfKeys]] = {}
    for part in parts:
        by_rows.setdefault(id(part.rows), []).append(part)
    for group in by_rows.values():
        places = np.concatenate([part.places for part in group])
        own = np.concatenate([part.numbers for part in group])
        rows = group[0].rows
        if len(by_rows) > 1 and 2 * len(own) < rows.num_rows:
            rows, own = rows.take(pa.array(own)), np.arange(len(own), dtype=np.int32)
        numbers[places] = own + start
        batches.append(rows)
        start += rows.num_rows
    index = pa.array(numbers, pa.int32(), mask=numbers < 0)
    if not batches:
        return _empty(schema), index
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches), index


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _declared(rows: pa.RecordBatch, name: str, schema: pa.Schema) -> pa.RecordBatch:
    columns: list[Any] = []
    for field in schema:
        place = rows.schema.get_field_index(field.name)
        if place < 0:
            shown = ", ".join(rows.schema.names[:20]) or "none"
            raise _wrong(name, f"one column {field.name}", f"columns {shown}"[:200])
        column = rows.column(place)
        if column.type != field.type:
            raise _wrong(name, f"column {field.name} of type {field.type}", str(column.type)[:200])
        if column.null_count and not field.nullable:
            raise _wrong(name, f"no null in column {field.name}", f"{column.null_count} in {rows.num_rows} rows")
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema) if columns else rows


def _wrong(name: str, expected: str, got: str) -> LookupAnswerError:
    return LookupAnswerError(
        f"lookup {name}: expected {expected}, got {got}. "
        "Try: trivium.testing.assert_lookup_compliance, which holds a lookup to its contract"
    )
