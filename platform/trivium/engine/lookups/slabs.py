"""Slabs: rows of answers kept as columns, few large ones instead of many small ones, without rows nobody needs."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Slots = npt.NDArray[np.int64]
ABSENT: Final = -1
FREE: Final = -2
_OVERHEAD: Final = 2048
"""Bytes that a slab costs beside its buffers: a dozen Python and Arrow objects, and some for each column."""
_TIER_FACTOR: Final = 8


class Slab:
    """Rows of one or several answers; row `i` belongs to the slot `slots[i]` for as long as that points back here."""

    __slots__ = ("live", "rows", "size", "slots")

    def __init__(self, rows: pa.RecordBatch, slots: Slots) -> None:
        self.rows, self.slots = rows, slots
        self.live = len(slots)
        self.size: int = _OVERHEAD + 256 * rows.num_columns + rows.get_total_buffer_size() + slots.nbytes

    @property
    def tier(self) -> int:
        """The power of eight of its number of rows."""
        return (self.slots.size.bit_length() - 1) // 3


class Slabs:
    """All slabs, and the place of each slot's row; `slab_of` is `ABSENT` for a key without one."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._numbers = 0
        self._slabs: dict[int, Slab] = {}
        self._tiers: defaultdict[int, list[int]] = defaultdict(list)
        self.slab_of = np.full(64, FREE, np.int64)
        self.row_of = np.zeros(64, np.int32)
        self.size = 0
        """Bytes of all slabs, rows that nobody needs any more included."""
        self.wasted = 0.0
        """Bytes of those rows."""

    def grow(self, slots: int) -> None:
        """Make room for so many slots."""
        self.slab_of = np.concatenate([self.slab_of, np.full(slots - len(self.slab_of), FREE, np.int64)])
        self.row_of = np.concatenate([self.row_of, np.zeros(slots - len(self.row_of), np.int32)])

    def add(self, rows: pa.RecordBatch, slots: Slots) -> None:
        """Keep rows, one a slot; small slabs of a size become one."""
        self._file(Slab(rows, slots))

    def release(self, slots: Slots) -> None:
        """Let go of the rows of slots, which are free afterwards."""
        numbers, counts = np.unique(self.slab_of[slots], return_counts=True)
        self.slab_of[slots] = FREE
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number >= 0:
                slab = self._slabs[number]
                slab.live -= count
                self.wasted += count * slab.size / slab.rows.num_rows
                if slab.live == 0:
                    self._drop(number)

    def compact(self) -> None:
        """Make the slabs anew of which a quarter or more is wasted."""
        for number, slab in list(self._slabs.items()):
            if 4 * slab.live <= 3 * slab.rows.num_rows:
                self._merge([number])

    def parts(self, slots: Slots) -> list[tuple[npt.NDArray[np.intp], pa.RecordBatch, npt.NDArray[np.int32]]]:
        """Return where the rows of these slots are: places among `slots`, the slab's rows, numbers of rows in it."""
        if not len(slots):
            return []
        numbers = self.slab_of[slots]
        if (numbers == numbers[0]).all():
            return [(np.arange(len(slots)), self._slabs[int(numbers[0])].rows, self.row_of[slots])]
        order = np.argsort(numbers, kind="stable")
        cuts = np.flatnonzero(np.diff(numbers[order])) + 1
        return [
            (places, self._slabs[int(numbers[places[0]])].rows, self.row_of[slots[places]])
            for places in np.split(order, cuts)
        ]

    def clear(self) -> None:
        """Forget all rows."""
        self._slabs.clear()
        self._tiers.clear()
        self.slab_of[:] = FREE
        self.size, self.wasted = 0, 0.0

    def _file(self, slab: Slab) -> None:
        """Keep a slab beside those of its size, or make one of them all when there are enough."""
        number = self._keep(slab)
        if slab.size < self._largest:
            tier = self._tiers[slab.tier]
            tier.append(number)
            if len(tier) >= _TIER_FACTOR:
                self._tiers[slab.tier] = []
                self._merge(tier)

    def _keep(self, slab: Slab) -> int:
        number = self._numbers
        self._numbers += 1
        self._slabs[number] = slab
        self.slab_of[slab.slots] = number
        self.row_of[slab.slots] = np.arange(len(slab.slots), dtype=np.int32)
        self.size += slab.size
        return number

    def _drop(self, number: int) -> Slab:
        slab = self._slabs.pop(number)
        self.size -= slab.size
        self.wasted -= (slab.rows.num_rows - slab.live) * slab.size / slab.rows.num_rows
        if not self._slabs:
            self.wasted = 0.0
        return slab

    def _merge(self, numbers: list[int]) -> None:
        """Make one slab of the rows of several that are still needed."""
        pieces, slots = [], []
        for number in numbers:
            if number in self._slabs:
                live = self.slab_of[self._slabs[number].slots] == number
                slab = self._drop(number)
                pieces.append(slab.rows if live.all() else slab.rows.take(pa.array(np.flatnonzero(live))))
                slots.append(slab.slots[live])
        if not pieces:
            return
        self._file(Slab(pa.concat_batches(pieces), np.concatenate(slots)))
