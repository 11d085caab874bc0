"""Finds the record that kills or hangs its worker, once a worker was lost: smaller and smaller stretches, alone.

Each partition of the lost worker is run alone, a few records at a time, until it has caught up or come far. A stretch
that takes its worker with it is cut into eighths; what is left in the end is one record. When that has taken two
workers with it, it is rejected without being run. Stretches that pass are committed as any others, so every step is
progress.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trivium.runtimes.losses import LOSSES_ALONE

_FIRST: Final = 1_024
_FAR: Final = 65_536
_PARTS: Final = 8


@dataclass
class PoisonSearch:
    """The search in one partition of a lost worker.

    `limit` is the records to try next, `bad` how many hold a bad one for sure.
    """

    partition: str
    limit: int = _FIRST
    bad: int | None = None
    losses_alone: int = 0

    def passed(self, read: int) -> bool:
        """Take note that a stretch of `read` records went well; True: the partition has caught up or come far."""
        self.losses_alone = 0
        if self.bad is not None:
            self.bad = max(0, self.bad - read) or None
            self.limit = _FIRST if self.bad is None else max(1, self.bad // _PARTS)
            return read == 0
        cleared = read < self.limit or self.limit >= _FAR
        self.limit *= 2
        return cleared

    def lost(self) -> bool:
        """Take note that the stretch took its worker with it; True: it was one record, for the second time."""
        if self.limit == 1:
            self.losses_alone += 1
            return self.losses_alone >= LOSSES_ALONE
        self.bad, self.limit = self.limit, max(1, self.limit // _PARTS)
        return False

    def rejected(self) -> None:
        """Begin anew behind the record that is a dead letter."""
        self.bad, self.limit, self.losses_alone = None, _FIRST, 0


def seconds_allowed(limit: int, batch_seconds: float, record_seconds: float) -> float:
    """Return the seconds that a stretch of `limit` records may run."""
    return max(record_seconds, min(batch_seconds, record_seconds * limit))


def searches_of(positions: Mapping[str, int]) -> list[PoisonSearch]:
    """Return a search for each partition of a lost worker."""
    return [PoisonSearch(partition) for partition in sorted(positions)]
