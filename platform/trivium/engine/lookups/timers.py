"""Timers of a lookup's client: moments at which something is due, on a clock that is handed in."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

Action = Callable[[float], None]
_LEAST_COMPACTED: Final = 64


class Timer:
    """One moment. A cancelled one has no action."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Action) -> None:
        self.at = at
        self.action: Action | None = action


class Timers:
    """Timers by moment. Cancelled ones are forgotten before they outnumber the others."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def set(self, at: float, action: Action) -> Timer:
        """Call `action` with the time once `at` has come."""
        timer = Timer(at, action)
        heapq.heappush(self._heap, (at, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Forget a timer; one that has gone off already is none."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if self._cancelled > _LEAST_COMPACTED and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def due(self, now: float) -> Iterator[Action]:
        """Yield the actions whose moment has come, those that they set meanwhile included."""
        while (at := self.next_at()) is not None and at <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.action is not None:
                action, timer.action = timer.action, None
                yield action

    def next_at(self) -> float | None:
        """Return the next moment, None without any."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None
