"""The breaker of a lookup: stops calls to a system that fails, probes it by few, and lets calls back step by step."""

from __future__ import annotations

import math
from collections import deque
from random import Random
from typing import Final, Literal

from trivium.contract.lookup_settings import LookupBreaker

BreakerState = Literal["closed", "open", "half_open"]
_SPREAD: Final = 0.5


class CallBreaker:
    """Judges calls by their newest results.

    Calls belong to the generation in which they began; opening begins a new one. The result of a call of an earlier
    generation changes nothing: a late success says how the system was, not how it is. After it has closed, at most one
    call runs at a time, and one more after each success, because caches may be cold.
    """

    def __init__(self, settings: LookupBreaker, concurrency: int, random: Random) -> None:
        self._settings, self._concurrency, self._random = settings, concurrency, random
        self._results: deque[bool] = deque(maxlen=settings.window_calls)
        self._open = False
        self._probed = 0
        self._running = 0
        self._allowed = concurrency
        self._generation = 0
        self.reopens_at = -math.inf
        """The moment from which an open breaker lets a probe through."""
        self.openings = 0

    def state(self, now: float) -> BreakerState:
        """Return whether calls may go, may not, or one at a time as a probe."""
        if not self._open:
            return "closed"
        return "open" if now < self.reopens_at else "half_open"

    def permits(self, now: float) -> bool:
        """Return whether a call may begin now."""
        state = self.state(now)
        if state == "half_open":
            return self._running == 0
        return state == "closed" and self._running < self._allowed

    def is_probed(self, now: float) -> bool:
        """Return whether a probe is under way, so that others have to wait for its result."""
        return self.state(now) == "half_open" and self._running > 0

    def begin(self) -> int:
        """Count a call that begins; return its generation."""
        self._running += 1
        return self._generation

    def success(self, generation: int) -> None:
        """Take in that a call was answered."""
        if not self._ended(generation):
            return
        if self._open:
            self._probed += 1
            if self._probed >= self._settings.probes:
                self._close()
            return
        self._results.append(True)
        self._allowed = min(self._allowed + 1, self._concurrency)

    def failure(self, generation: int, now: float) -> None:
        """Take in that a call failed, or got no answer in time."""
        if not self._ended(generation):
            return
        if self._open:
            self._stop(now)
            return
        self.count_failure(now)

    def count_failure(self, now: float) -> None:
        """Take in that a call could not even begin, because those before it hang."""
        if self._open:
            if now >= self.reopens_at:
                self._stop(now)
            return
        self._results.append(False)
        if self._allowed < self._concurrency:
            self._allowed = 1
        failed = self._results.count(False)
        if len(self._results) == self._settings.window_calls and failed >= self._settings.ratio * len(self._results):
            self._stop(now)

    def nothing(self, generation: int) -> None:
        """Take in that a call ended without saying anything of the system."""
        self._ended(generation)

    def _ended(self, generation: int) -> bool:
        if generation != self._generation:
            return False
        self._running -= 1
        return True

    def _stop(self, now: float) -> None:
        self._open, self._probed, self._running = True, 0, 0
        self._generation += 1
        self.openings += 1
        self._results.clear()
        self.reopens_at = now + self._settings.open_seconds * (1 + _SPREAD * self._random.random())

    def _close(self) -> None:
        self._open = False
        self._allowed = 1
