"""Facts of other systems as columns of the declared types: from JSON, from texts, and from typed columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.connectors.archive.hive_folders import folder_column, natural_type
from trivium.contract.lookup import Answer
from trivium.core.error_text import decode_error, shown
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.convert import columns_of
from trivium.types.normalise import Normaliser
from trivium.types.spec import FieldSpec
from trivium.types.structs import annotation

_MOST_NESTED: Final = 64


class FactMisfit(ValueError):
    """A value of an answer that is none of its declared type: the row's place in the answer, and the reason."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(row, reason)
        self.row, self.reason = row, reason


class JsonRows:
    """Rows from JSON objects, one an object, by the decoder of events: undeclared members are skipped."""

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        # Two enrichments may give one column different names in Python.
        self._fields = [replace(spec, name=f"column_{at}") for at, spec in enumerate(fields)]
        self._schema = pa.schema([pa.field(spec.wire, spec.type.arrow, spec.nullable) for spec in fields])
        own: list[Any] = [
            (spec.name, annotation(spec)) if spec.required else (spec.name, annotation(spec), spec.default)
            for spec in self._fields
        ]
        rename = {spec.name: spec.wire for spec in self._fields}
        self._struct = msgspec.defstruct("Fact", own, rename=rename, kw_only=True, gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._struct)
        self._normalise = Normaliser(self._fields)

    def read(self, texts: Sequence[bytes]) -> pa.RecordBatch:
        """Return a row for each text.

        Raises:
            FactMisfit: a text is no such object.
        """
        rows = [self._row(at, text) for at, text in enumerate(texts)]
        columns = columns_of(rows, self._fields)
        return pa.RecordBatch.from_arrays(columns.columns, schema=self._schema)

    def _row(self, at: int, text: bytes) -> Any:
        try:
            text.decode()  # the decoder itself takes broken UTF-8 in members it skips and in texts
            row = self._decoder.decode(text)
            self._normalise(row)
        except RecursionError as error:
            raise FactMisfit(at, f"it is nested deeper than {_MOST_NESTED} levels") from error
        except UnicodeDecodeError as error:
            raise FactMisfit(at, f"it is not UTF-8: {error.reason}") from error
        except ValueError as error:
            raise FactMisfit(at, decode_error(error)) from error
        return row


def text_column(texts: Sequence[str | None], spec: FieldSpec) -> pa.Array:
    """Return texts as a column of a declared field; None is an absent value.

    Raises:
        FactMisfit: a text is none of the field's type.
    """
    column = pa.array(texts, pa.string())
    if pt.is_string(spec.type.arrow):
        return _conformed(column, spec)
    # Each distinct text is read once.
    encoded = column.dictionary_encode()
    read: list[pa.Array] = []
    for text in encoded.dictionary.to_pylist():
        try:
            read.append(folder_column(text, spec))
        except ValueError as error:
            raise FactMisfit(texts.index(text), f"{spec.wire}: {error}, got {shown(text, 80)}") from error
    values = pa.concat_arrays(read) if read else pa.nulls(0, spec.type.arrow)
    return _conformed(values.take(encoded.indices), spec)


def text_problem(spec: FieldSpec) -> str | None:
    """Return why a field cannot be read from a text, None where it can."""
    arrow = spec.type.arrow
    return None if natural_type(arrow) is not None else f"column {spec.wire}: {arrow} is not read from a text"


def typed_rows(columns: Callable[[str], pa.Array | None], rows: int, fields: Sequence[FieldSpec]) -> pa.RecordBatch:
    """Return typed columns in their declared types; `columns` gives one by its name, None where it is not there.

    Raises:
        FactMisfit: a column is of another type, or a value has no place in it.
    """
    arrays = []
    for spec in fields:
        column = columns(spec.wire)
        column = pa.nulls(rows) if column is None else column
        if problem := type_problem(column.type, spec.type):
            raise FactMisfit(0, f"column {spec.wire}: {problem}")
        arrays.append(_conformed(column, spec))
    schema = pa.schema([pa.field(spec.wire, spec.type.arrow, spec.nullable) for spec in fields])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def in_order(rows: pa.RecordBatch, present: Sequence[bool]) -> Answer:
    """Return the answer whose rows are those of the present keys, in the order of the keys."""
    mask = np.asarray(present, np.bool_)
    places = np.cumsum(mask, dtype=np.int32) - 1
    return Answer(rows, pa.array(places, pa.int32(), mask=~mask))


def _conformed(column: pa.Array, spec: FieldSpec) -> pa.Array:
    result = conform(column, spec)
    for mask, reason in result.flaws:
        raise FactMisfit(int(np.flatnonzero(mask)[0]), f"column {spec.wire}: {reason}")
    return result.column
