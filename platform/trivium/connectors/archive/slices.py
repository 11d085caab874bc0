"""Slices of a unit: neighbouring rows of an archive's files, put together as one batch for the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.contract.source import SourceSettings
from trivium.engine.batch import Batch, Positions, RawBatch, Source, TypedBatch
from trivium.engine.decoding.packed_values import PackedValues, pack_column


@dataclass(frozen=True)
class Slice:
    """Some events of a unit; `day_lengths` says for how many of them in a row a source day holds."""

    batch: Batch
    day_lengths: Sequence[tuple[str | None, int]]

    @property
    def nbytes(self) -> int:
        """About how many bytes of memory the events take."""
        if isinstance(self.batch, TypedBatch):
            return int(self.batch.columns.nbytes)
        values = self.batch.values
        return values.nbytes if isinstance(values, PackedValues) else sum(len(value or b"") for value in values)

    @cached_property
    def days(self) -> npt.NDArray[np.object_]:
        """The source day of each event: an ISO date, or None."""
        days = [np.full(length, day, object) for day, length in self.day_lengths]
        return np.concatenate(days) if days else np.empty(0, object)

    def days_of(self, inputs: npt.NDArray[np.int64]) -> frozenset[str | None]:
        """Return the source days that some inputs of the batch, given by their rows in it, belong to."""
        ends = np.cumsum([length for _, length in self.day_lengths])
        places = np.unique(np.searchsorted(ends, inputs, side="right"))
        return frozenset(self.day_lengths[place][0] for place in places)


@dataclass(frozen=True)
class Piece:
    """Neighbouring rows of a file. `folders` are the columns that its folders name, one value each."""

    path: str
    day: str | None
    positions: Positions
    rows: pa.RecordBatch
    folders: Mapping[str, pa.Array]

    @property
    def shape(self) -> tuple[pa.Schema, Mapping[str, pa.DataType]]:
        """Schema and folders; pieces with equal ones may share a batch."""
        return self.rows.schema, {name: value.type for name, value in self.folders.items()}


def slice_of(pieces: Sequence[Piece], section: SourceSettings) -> Slice:
    """Return pieces of one shape as one slice."""
    lengths = [piece.rows.num_rows for piece in pieces]
    positions = np.concatenate([piece.positions for piece in pieces])
    rows = pa.concat_batches([piece.rows for piece in pieces])
    folders = {name: _repeated([piece.folders[name] for piece in pieces], lengths) for name in pieces[0].folders}
    days = [(piece.day, length) for piece, length in zip(pieces, lengths, strict=True)]
    source = _source([piece.path for piece in pieces], lengths)
    if section.record_column:
        values = pack_column(rows.column(section.record_column))
        return Slice(RawBatch(values, source, positions, _types(section, rows, folders)), days)
    for name, column in folders.items():
        rows = rows.append_column(name, column)
    return Slice(TypedBatch(rows, source, positions, section.zone, section.event_type), days)


def _types(
    section: SourceSettings, rows: pa.RecordBatch, folders: Mapping[str, pa.Array]
) -> Sequence[str | None] | None:
    """Return the event type of each raw record, where the source says it beside them."""
    name = section.type_column
    if name is None:
        return None if section.event_type is None else [section.event_type] * rows.num_rows
    return _names(folders[name] if name in folders else rows.column(name))


def _repeated(values: Sequence[pa.Array], lengths: Sequence[int]) -> pa.Array:
    """Return each of some columns of one value as often as its length says, one behind the other."""
    return pa.concat_arrays(values).take(pa.array(np.repeat(np.arange(len(values)), lengths)))


def _source(paths: Sequence[str], lengths: Sequence[int]) -> Source:
    if len(set(paths)) == 1:
        return paths[0]
    named = pa.array(paths).dictionary_encode()
    return named.take(pa.array(np.repeat(np.arange(len(paths)), lengths)))


def _names(column: pa.Array) -> Sequence[str | None]:
    """Event types; bytes that are no text stay visible as lone surrogates, which the decoder refuses."""
    names = column.cast(pa.large_binary()).to_pylist()
    return [None if name is None else name.decode("utf-8", "surrogateescape") for name in names]
