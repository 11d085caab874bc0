"""Pauses of those who wait for a lookup that stays away: they grow, and all share them, up to a limit."""

from __future__ import annotations

import math
from random import Random
from typing import Final

_FIRST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 60.0


class Pauses:
    """One pause after the other while nothing succeeds, for at most `wait_seconds` in all."""

    def __init__(self, wait_seconds: float, random: Random) -> None:
        self._wait_seconds, self._random = wait_seconds, random
        self._since: float | None = None
        self._number = 0
        self._until = -math.inf

    def reset(self) -> None:
        """Forget earlier pauses: the lookup answered."""
        self._since, self._number, self._until = None, 0, -math.inf

    def pause(self, now: float) -> tuple[float, bool] | None:
        """Return until when to wait before the next try, and whether this pause is new; None: no longer."""
        if self._since is None:
            self._since = now
        is_new = now >= self._until
        if is_new:
            length = min(_FIRST_SECONDS * 2.0**self._number, _LONGEST_SECONDS)
            self._number = min(self._number + 1, 10)
            self._until = now + length * (1 - self._random.random() / 2)
        return (self._until, is_new) if self._until < self._since + self._wait_seconds else None
