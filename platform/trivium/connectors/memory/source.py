"""A log in memory whose faults stand among its records, read as a stream's worker reads Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from trivium.connectors.kafka.fetched import Fetched
from trivium.core.errors import SourceError
from trivium.engine.decoding.packed_values import pack


@dataclass(frozen=True)
class Eof:
    """The partition gives nothing more until it is assigned again; then it goes on behind this."""


@dataclass(frozen=True)
class Crash:
    """A poll that comes to this raises SourceError, and so does each later one. Assigned again, it goes on behind."""

    error: str = "the source crashed, as its test says"


@dataclass(frozen=True)
class Pause:
    """Polls that give nothing of the partition."""

    polls: int = 1


Item = bytes | None | Eof | Crash | Pause
_BEGINNING_MS: Final = 1_767_225_600_000  # 2026-01-01 UTC, a millisecond a record


@dataclass
class _Partition:
    """`place` is the next item; `spent` the places of faults that happened, `crash` the one a poll came to last."""

    items: Sequence[Item]
    place: int = 0
    assigned: bool = False
    ended: bool = False
    paused: int = 0
    crash: str | None = None
    spent: set[int] = field(default_factory=set)

    def offset(self) -> int:
        """Return the offset of the next record."""
        return sum(isinstance(item, bytes | None) for item in self.items[: self.place])

    def move(self, position: int) -> bool:
        """Go on behind the record before this offset, whatever faults come next. False: there is no such offset."""
        records = [place for place, item in enumerate(self.items) if isinstance(item, bytes | None)]
        if not 0 <= position <= len(records):
            return False
        self.place = records[position - 1] + 1 if position else 0
        self.ended, self.paused, self.crash = False, 0, None
        return True

    def read(self, max_bytes: int) -> list[bytes | None]:
        """Return the records up to the next fault, or to `max_bytes`; at least one if one is there."""
        values: list[bytes | None] = []
        size = 0
        while self.place < len(self.items) and (size < max_bytes or not values):
            item = self.items[self.place]
            if isinstance(item, Eof | Crash | Pause):
                over = self.place in self.spent and not self.ended
                if not over and (values or not self._goes_on(item)):
                    break
            else:
                values.append(item)
                size += len(item or b"")
            self.place += 1
        return values

    def _goes_on(self, fault: Eof | Crash | Pause) -> bool:
        """Have a fault happen. Whether this poll goes on behind it."""
        if self.ended:
            return False
        if isinstance(fault, Pause) and self.paused < fault.polls:
            self.paused += 1
            return False
        self.paused = 0
        self.spent.add(self.place)
        self.ended = isinstance(fault, Eof)
        self.crash = fault.error if isinstance(fault, Crash) else None
        return isinstance(fault, Pause)


class MemorySource:
    """Partitions by name, each a list of records (bytes, or None for a tombstone) and faults.

    Records have the offsets 0, 1, 2, …; faults have none. Each fault happens once, whatever is assigned later.

        MemorySource({"orders/0": [b'{"id":1}', Pause(), b'{"id":2}', Crash(), b'{"id":3}', Eof()]})
    """

    def __init__(self, partitions: Mapping[str, Sequence[Item]]) -> None:
        self._partitions = {name: _Partition(items) for name, items in partitions.items()}
        self.closed = False

    def assign(self, positions: Mapping[str, int]) -> None:
        """Read these partitions from these offsets on.

        Raises:
            SourceError: there is no such partition, or no such offset in it.
        """
        for name, partition in self._partitions.items():
            partition.assigned = name in positions
        for name, position in positions.items():
            if name not in self._partitions:
                raise SourceError(f"expected one of {', '.join(self._partitions)}, got {name}")
            if not self._partitions[name].move(position):
                raise SourceError(f"{name}: expected an offset of its records or the one behind them, got {position}")

    def poll(self, timeout_seconds: float, max_bytes: int) -> list[Fetched]:
        """Return what is there, up to about `max_bytes` of values; nothing is waited for.

        Raises:
            SourceError: a Crash was reached; the same error again at each later call.
        """
        self._raise_if_crashed()
        pieces: list[Fetched] = []
        for name, partition in self._partitions.items():
            left = max_bytes - sum(piece.nbytes for piece in pieces)
            if partition.assigned and left > 0 and (values := partition.read(left)):
                pieces.append(_fetched(name, partition.offset() - len(values), values))
        if not pieces:
            self._raise_if_crashed()
        return pieces

    def buffered_bytes(self) -> int:
        """Return the bytes fetched and not handed out yet: none."""
        return 0

    def close(self) -> None:
        """Let go; idempotent."""
        self.closed = True

    def _raise_if_crashed(self) -> None:
        crash = next((each.crash for each in self._partitions.values() if each.assigned and each.crash), None)
        if crash is not None:
            raise SourceError(crash)


def _fetched(name: str, start: int, values: list[bytes | None]) -> Fetched:
    offsets = np.arange(start, start + len(values), dtype=np.int64)
    return Fetched(
        partition=name,
        start=start,
        next=start + len(values),
        offsets=offsets,
        timestamps=offsets + _BEGINNING_MS,
        values=pack(values),
        headers=None,
    )
