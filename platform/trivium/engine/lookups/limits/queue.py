"""The queue of a lookup's portions: who waits for a turn, in order, and who goes together in one call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.engine.lookups.asks import Portion

_JOINED_AGE: Final = 0.25
"""Portions go in one call where they were queued within this share of the time-out."""


class TurnQueue:
    """Portions in the order in which they came; each may leave at any time."""

    def __init__(self, settings: RemoteLookupSettings) -> None:
        self._settings = settings
        self._portions: OrderedDict[Portion, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._portions)

    def __contains__(self, portion: Portion) -> bool:
        return portion in self._portions

    def __iter__(self) -> Iterator[Portion]:
        return iter(self._portions)

    def add(self, portion: Portion) -> None:
        """Let a portion wait behind all others."""
        self._portions[portion] = None

    def remove(self, portion: Portion) -> None:
        """Let a portion go, if it is there."""
        self._portions.pop(portion, None)

    def first(self) -> Portion:
        """Return the portion whose turn is next; there must be one."""
        return next(iter(self._portions))

    def next_call(self) -> list[Portion]:
        """Return the first portion and those behind it that fit in its call; they stay in the queue."""
        waiting = iter(self._portions)
        portions = [next(waiting)]
        keys = len(portions[0].names)
        for other in waiting:
            keys += len(other.names)
            if keys > self._settings.max_keys or not self._may_join(portions[0], other):
                break
            portions.append(other)
        return portions

    def _may_join(self, first: Portion, other: Portion) -> bool:
        """Return whether a portion may go with another: not a retry, which may be what the lookup chokes on."""
        alike = (first.times is None) is (other.times is None) and first.is_concurrent == other.is_concurrent
        fresh = not first.attempts and not other.attempts and first.is_cacheable == other.is_cacheable
        late = other.queued_at - first.queued_at > _JOINED_AGE * self._settings.timeout_seconds
        return alike and fresh and not late
