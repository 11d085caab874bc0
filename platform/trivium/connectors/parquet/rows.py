"""Rows of a Parquet file in steps whose memory is bounded by their decoded size, however small they are on disk.

A dictionary page, or prefixes left out, make a few bytes on disk into any number in memory. What a row may take is
bounded before it is read: by the width of fixed columns, and by the longest value of the dictionary of others. Columns
of long repeated values are read as indices into their dictionary, and expanded a step at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from trivium.connectors.archive.plain_columns import plain_rows
from trivium.connectors.parquet.files import open_parquet
from trivium.connectors.parquet.leaves import Leaf, Size, leaf_arrays, leaves_of, size_of
from trivium.delivery.storage.storage import Storage

STEP_ROWS: Final = 4096
STEP_BYTES: Final = 16 << 20
_LONG_VALUE: Final = 16 << 10


def read_rows(
    storage: Storage, path: str, opened: pq.ParquetFile, span: range, columns: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Read the rows of `span` of an open file, in order, each step with the place of its first row.

    A step has at most 4,096 rows and some 16 MB, or is one row, and only these columns. Dictionaries come expanded.

    Raises:
        pa.ArrowException, OSError: the file cannot be read.
        SourceError: it cannot be opened.
    """
    metadata, start = opened.metadata, 0
    leaves = leaves_of(opened, columns)
    for index in range(metadata.num_row_groups):
        rows = range(start, start + metadata.row_group(index).num_rows)
        start = rows.stop
        if rows and rows.start < span.stop and rows.stop > span.start:
            yield from _Group(storage, path, opened, index, rows).steps(span, columns, leaves)


@dataclass(frozen=True)
class _Group:
    """One row group of an open file; `rows` are its places in the file."""

    storage: Storage
    path: str
    opened: pq.ParquetFile
    index: int
    rows: range

    def steps(
        self, span: range, columns: Sequence[str], leaves: Sequence[Leaf]
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Read the rows that are in `span` too."""
        if not columns:
            yield from self._empty(span)
            return
        sizes = self._sizes(leaves)
        long = [leaf for leaf in leaves if not leaf.nested and sizes[leaf.at].longest > _LONG_VALUE]
        indexed = [leaf for leaf in long if self._has_dictionary(leaf)]
        row_bytes = sum(
            size.per_row * (size.mean if leaf in indexed else max(size.mean, size.longest))
            for leaf, size in ((leaf, sizes[leaf.at]) for leaf in leaves)
        )
        count = max(1, min(STEP_ROWS, int(STEP_BYTES / max(1.0, row_bytes))))
        first = self.rows.start
        for batch in self._batches(columns, count, [leaf.path for leaf in indexed]):
            for rows in _expanded(batch.select(columns)):
                low, high = max(span.start, first), min(span.stop, first + rows.num_rows)
                if low < high:
                    yield low, rows.slice(low - first, high - low)
                first += rows.num_rows
            if first >= span.stop:
                return

    def _empty(self, span: range) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Tell the rows of which nothing is read."""
        for low in range(max(span.start, self.rows.start), min(span.stop, self.rows.stop), STEP_ROWS):
            count = min(STEP_ROWS, span.stop - low, self.rows.stop - low)
            yield low, pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))

    def _batches(self, columns: Sequence[str], count: int, indexed: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted: dict[str, Any] = {"row_groups": [self.index], "columns": list(columns), "use_threads": False}
        if not indexed:
            yield from self.opened.iter_batches(count, **wanted)
            return
        metadata = self.opened.metadata
        with open_parquet(self.storage, self.path, metadata=metadata, read_dictionary=list(indexed)) as opened:
            yield from opened.iter_batches(count, **wanted)

    def _sizes(self, leaves: Sequence[Leaf]) -> dict[int, Size]:
        """Bound each leaf's values by what the footer says, and look into dictionaries where that is not enough."""
        group = self.opened.metadata.row_group(self.index)
        chunks = {leaf.at: group.column(leaf.at) for leaf in leaves}
        sizes = {leaf.at: size_of(leaf, chunks[leaf.at], len(self.rows)) for leaf in leaves}
        bound = sum(size.per_row * size.longest for size in sizes.values()) * min(len(self.rows), STEP_ROWS)
        doubtful = {leaf.name for leaf in leaves if self._has_dictionary(leaf)}
        if bound > STEP_BYTES and doubtful:
            looked_at = [leaf for leaf in leaves if leaf.name in doubtful]
            for leaf, longest in zip(looked_at, self._longest(looked_at), strict=True):
                if longest:
                    sizes[leaf.at] = replace(sizes[leaf.at], longest=longest)
        return sizes

    def _has_dictionary(self, leaf: Leaf) -> bool:
        group = self.opened.metadata.row_group(self.index)
        return leaf.width is None and bool(group.column(leaf.at).has_dictionary_page)

    def _longest(self, leaves: Sequence[Leaf]) -> list[int]:
        """Return the length of the longest value of each leaf's dictionary; 0 where the first row does not show it."""
        paths, metadata = [leaf.path for leaf in leaves if leaf.width is None], self.opened.metadata
        names = list(dict.fromkeys(leaf.name for leaf in leaves))
        with open_parquet(self.storage, self.path, metadata=metadata, read_dictionary=paths) as opened:
            batch = next(opened.iter_batches(1, row_groups=[self.index], columns=names, use_threads=False))
            return [_longest_of(array) for name in names for array in leaf_arrays(batch.column(name))]


def _longest_of(array: pa.Array) -> int:
    lengths = _value_lengths(array.dictionary) if pt.is_dictionary(array.type) else None
    return 0 if lengths is None or not len(lengths) else int(lengths.max())


def _value_lengths(values: pa.Array) -> npt.NDArray[np.int64] | None:
    """Return the bytes of each value of a column of bytes or text; None of any other column."""
    matches = (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary)
    if not any(is_kind(values.type) for is_kind in matches):
        return None
    return np.asarray(pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False), np.int64)


def _expanded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch where its expanded rows exceed a step, and expand each part's dictionaries."""
    indexed = any(pt.is_dictionary(each.type) for each in batch.columns)
    if not indexed and batch.nbytes <= STEP_BYTES:
        yield plain_rows(batch)
        return
    ends = np.cumsum(sum(map(_row_bytes, batch.columns)))
    start = 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + STEP_BYTES, side="right")))
        yield plain_rows(batch.slice(start, stop - start))
        start = stop


def _row_bytes(column: pa.Array) -> npt.NDArray[np.int64]:
    values = column.dictionary if pt.is_dictionary(column.type) else column
    lengths = _value_lengths(values)
    if lengths is None:
        return np.full(len(column), column.nbytes // max(1, len(column)) + 1, np.int64)
    if values is column:
        return lengths
    return lengths[pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)] if len(lengths) else _none(column)


def _none(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.zeros(len(column), np.int64)
