"""The retry budget of a process: retries are a bounded share of the calls of all its lookups."""

from __future__ import annotations

import threading
from collections import deque


class RetryBudget:
    """Allows retries as long as they are at most `share` of the calls of the last `window_seconds`.

    `least` retries a window are always allowed, so that a process of few calls may retry at all. Shared by the clients
    of a process, from any thread.
    """

    def __init__(self, share: float = 0.2, least: int = 10, window_seconds: float = 10.0) -> None:
        self._share, self._least, self._slice = share, least, window_seconds / 10
        self._lock = threading.Lock()
        self._slices: deque[list[int]] = deque()
        self._calls = self._retries = 0

    def count_call(self, now: float) -> None:
        """Take in a call that is no retry."""
        with self._lock:
            self._newest(now)[1] += 1
            self._calls += 1

    def take(self, now: float) -> bool:
        """Return whether one more retry is allowed, and count it if so."""
        with self._lock:
            newest = self._newest(now)
            if self._retries + 1 > self._least + self._share * self._calls:
                return False
            newest[2] += 1
            self._retries += 1
            return True

    def _newest(self, now: float) -> list[int]:
        """Return the slice of `now`; slices are [number, calls, retries]."""
        number = int(now // self._slice)
        while self._slices and self._slices[0][0] <= number - 10:
            _, calls, retries = self._slices.popleft()
            self._calls -= calls
            self._retries -= retries
        if not self._slices or self._slices[-1][0] < number:
            self._slices.append([number, 0, 0])
        return self._slices[-1]
