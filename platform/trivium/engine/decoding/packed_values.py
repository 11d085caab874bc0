"""Values of records in one buffer, read in place: they become Python objects only where somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
_OPENS: Final = ord("{")
_CLOSES: Final = ord("}")


@dataclass(frozen=True, eq=False)
class PackedValues(Sequence["bytes | None"]):
    """Values one behind the other in `data`, each followed by a line feed.

    Value i stands from `bounds[i]` to before the line feed in front of `bounds[i + 1]`. `present` is False for a record
    without a value, which takes no bytes but the line feed; None where every record has one.
    """

    data: Bytes
    bounds: Int64s
    present: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...

    @overload
    def __getitem__(self, at: slice) -> PackedValues: ...

    def __getitem__(self, at: int | slice) -> bytes | PackedValues | None:
        if isinstance(at, slice):
            return self._stretch(*at.indices(len(self)))
        place = range(len(self))[at]
        if self.present is not None and not self.present[place]:
            return None
        return self.data[self.bounds[place] : self.bounds[place + 1] - 1].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        text = self.text.tobytes()
        first = int(self.bounds[0])
        found = (text[start - first : end - first - 1] for start, end in pairwise(self.bounds.tolist()))
        if self.present is None:
            return found
        return (value if there else None for value, there in zip(found, self.present.tolist(), strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def nbytes(self) -> int:
        """Bytes of values."""
        return int(self.bounds[-1] - self.bounds[0]) - len(self)

    @property
    def text(self) -> memoryview:
        """All values, each with its line feed."""
        return self.data[self.bounds[0] : self.bounds[-1]].data

    def rows_at(self, places: Sequence[int]) -> list[int]:
        """Return the records that hold these places of `text`, each once, in order."""
        found = np.searchsorted(self.bounds, np.asarray(places, np.int64) + self.bounds[0], side="right") - 1
        rows: list[int] = np.unique(found).tolist()
        return rows

    def are_objects(self) -> bool:
        """Return whether every record has a value that begins with an opening and ends with a closing brace."""
        if (self.present is not None and not self.present.all()) or not (np.diff(self.bounds) > 2).all():
            return False
        starts, ends = self.data[self.bounds[:-1]], self.data[self.bounds[1:] - 2]
        return bool((starts == _OPENS).all() and (ends == _CLOSES).all())

    def _stretch(self, start: int, stop: int, step: int) -> PackedValues:
        if step != 1:
            raise ValueError(f"expected a stretch of neighbours, got every {step}th record")
        present = None if self.present is None else self.present[start:stop]
        return PackedValues(self.data, self.bounds[start : max(start, stop) + 1], present)


def pack(values: Iterable[bytes | None]) -> PackedValues:
    """Pack values, unless they are packed already."""
    if isinstance(values, PackedValues):
        return values
    given = list(values)
    present = None
    if None in given:
        present = np.fromiter((value is not None for value in given), np.bool_, len(given))
    there = [value or b"" for value in given]
    data = b"\n".join([*there, b""])
    lengths = np.fromiter(map(len, there), np.int64, len(there))
    return PackedValues(np.frombuffer(data, np.uint8), _bounds(lengths + 1), present)


def pack_column(column: pa.Array) -> PackedValues:
    """Pack a column of binary or text, without an object a value."""
    lines = pc.binary_join_element_wise(
        pc.fill_null(column.cast(pa.large_binary()), b""),
        pa.scalar(b"\n", pa.large_binary()),
        pa.scalar(b"", pa.large_binary()),
    )
    _, offsets, data = lines.buffers()
    bounds = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    present = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    return PackedValues(np.frombuffer(data or b"", np.uint8), bounds, present)


def concatenate(parts: Sequence[PackedValues]) -> PackedValues:
    """Join the values of all parts; those of a single part are not copied."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(part.bounds) for part in parts]) if parts else np.empty(0, np.int64)
    present = None
    if any(part.present is not None for part in parts):
        present = np.concatenate([np.ones(len(p), np.bool_) if p.present is None else p.present for p in parts])
    data = b"".join(part.text for part in parts)
    return PackedValues(np.frombuffer(data, np.uint8), _bounds(lengths), present)


def _bounds(lengths: Int64s) -> Int64s:
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds
