"""The cache of a lookup's answers in a process: by bytes and by age, a shorter age for absence, none for failures."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Final

import cachebox
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.contract.lookup_settings import CacheSettings
from trivium.engine.lookups.slabs import ABSENT, Slabs, Slots

_NAME_BYTES: Final = 200
"""Bytes that a key costs beside its own: its entry in the order of use, its slot's number, place and time."""
_KEPT_SHARE: Final = 0.75
"""The share of the bytes that stays when there must be room."""


class AnswerCache:
    """Rows, and absences, by the names of keys.

    A key's *slot* is a number; where its row is and since when is in arrays by slot, so that the answers of many keys
    are found by a few array operations. The key unused for longest goes first. Rows are copied out of the answers
    they came in: nothing else of an answer is kept alive.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._slots: cachebox.LRUCache[Hashable, int] = cachebox.LRUCache(0)
        self._slabs = Slabs(settings.max_bytes // 16)
        self._born = np.zeros(64)
        self._name_bytes = np.zeros(64, np.int64)
        self._free: list[int] = list(range(63, -1, -1))
        self._names_size = 0

    @property
    def size(self) -> int:
        """Bytes of memory that are kept, as well as they can be counted."""
        return self._slabs.size + self._names_size

    def __len__(self) -> int:
        return len(self._slots)

    def find(self, names: Sequence[Hashable], oldest: float, oldest_absence: float) -> Slots:
        """Return the slots of keys whose row was fetched after `oldest`, or absence noted after the other; -1: none."""
        if not len(self._slots):
            return np.full(len(names), -1, np.int64)
        slots = np.fromiter(map(self._slots.get, names, repeat(-1)), np.int64, len(names))
        born = self._born[slots]
        usable = np.where(self._slabs.slab_of[slots] == ABSENT, born > oldest_absence, born > oldest)
        return np.where((slots >= 0) & usable, slots, -1)

    def fresh(self, names: Sequence[Hashable], now: float) -> Slots:
        """Return the slots of the keys whose answer is young enough, -1 for the others."""
        return self.find(names, now - self._settings.seconds, now - self._settings.absent_seconds)

    def stale(self, names: Sequence[Hashable], now: float) -> Slots:
        """Return the slots of keys whose row may answer while the lookup is unavailable, -1 for the others."""
        return self.find(names, now - self._settings.seconds - self._settings.stale_seconds, np.inf)

    def has_row(self, slots: Slots) -> npt.NDArray[np.bool_]:
        """Return which of these slots have a row; the others are known to be absent."""
        has_row: npt.NDArray[np.bool_] = self._slabs.slab_of[slots] != ABSENT
        return has_row

    def born(self, slots: Slots) -> npt.NDArray[np.float64]:
        """Return since when the answers of these slots are known."""
        return self._born[slots]

    def parts(self, slots: Slots) -> list[tuple[npt.NDArray[np.intp], pa.RecordBatch, npt.NDArray[np.int32]]]:
        """Return where the rows of these slots are: places among `slots`, rows, and numbers of rows among them."""
        return self._slabs.parts(slots)

    def put(self, names: Sequence[Hashable], found: npt.NDArray[np.bool_], rows: pa.RecordBatch, born: float) -> None:
        """Keep the answer to these keys; `rows` has one for each that is `found`, in order, and is the cache's own."""
        if not self._settings.absent_seconds and not found.all():
            self._forget([name for name, has_row in zip(names, found.tolist(), strict=True) if not has_row])
            names = [name for name, has_row in zip(names, found.tolist(), strict=True) if has_row]
            found = np.ones(len(names), np.bool_)
        if not names or 2 * rows.get_total_buffer_size() > self._settings.max_bytes:
            return
        slots = self._slots_of(names)
        self._slabs.release(slots)
        self._born[slots] = born
        self._slabs.slab_of[slots[~found]] = ABSENT
        if rows.num_rows:
            self._slabs.add(rows, slots[found])
        if self.size > self._settings.max_bytes:
            self._make_room()

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self._slabs.clear()
        self._free = list(range(len(self._born) - 1, -1, -1))
        self._names_size = 0

    def _slots_of(self, names: Sequence[Hashable]) -> Slots:
        """Return the slots of keys, a free one for each that had none."""
        slots = np.fromiter(map(self._slots.get, names, repeat(-1)), np.int64, len(names))
        places = np.flatnonzero(slots < 0)
        self._grow(len(places))
        for place in places.tolist():
            name = names[place]
            slot = self._free.pop()
            self._slots[name] = slots[place] = slot
            size = _NAME_BYTES + _bytes_of(name)
            self._name_bytes[slot] = size
            self._names_size += size
        return slots

    def _grow(self, wanted: int) -> None:
        if wanted <= len(self._free):
            return
        old = len(self._born)
        new = max(2 * old, old + wanted)
        self._born = np.concatenate([self._born, np.zeros(new - old)])
        self._name_bytes = np.concatenate([self._name_bytes, np.zeros(new - old, np.int64)])
        self._slabs.grow(new)
        self._free.extend(range(new - 1, old - 1, -1))

    def _forget(self, names: Sequence[Hashable]) -> None:
        self._let_go([slot for slot in (self._slots.pop(name, -1) for name in names) if slot >= 0])

    def _let_go(self, slots: list[int]) -> None:
        self._slabs.release(np.array(slots, np.int64))
        self._names_size -= int(self._name_bytes[slots].sum()) if slots else 0
        self._free.extend(slots)

    def _make_room(self) -> None:
        wanted = _KEPT_SHARE * self._settings.max_bytes
        while len(self._slots) and self.size - self._slabs.wasted > wanted:
            self._let_go([self._slots.popitem()[1] for _ in range(min(64, len(self._slots)))])
        self._slabs.compact()


def _bytes_of(name: Hashable) -> int:
    own = sys.getsizeof(name)
    return own + sum(map(_bytes_of, name)) if isinstance(name, tuple) else own
