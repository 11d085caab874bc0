"""Back-off of starting a worker again that does not start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PATIENCE_SECONDS: Final = 90.0
_LONGEST_PAUSE_SECONDS: Final = 15.0


@dataclass
class Openings:
    """The failed starts of one worker since the last that succeeded.

    A node that is busy or has just joined refuses several starts within a second, so a start is tried again after
    1, 2, 4, … seconds, and given up by the time that has passed and not by their number.
    """

    failed: int = 0
    _since: float = 0.0
    _not_before: float = 0.0

    def fail(self, now: float) -> bool:
        """Take a failed start in, at `now` (monotonic seconds). Returns whether another may follow."""
        if not self.failed:
            self._since = now
        self.failed += 1
        self._not_before = now + min(2.0 ** (self.failed - 1), _LONGEST_PAUSE_SECONDS)
        return self._not_before - self._since <= _PATIENCE_SECONDS

    def succeed(self) -> None:
        """Forget the failures before: the worker is there."""
        self.failed = 0
        self._not_before = 0.0

    def due(self, now: float) -> bool:
        """Return whether the worker may be started."""
        return now >= self._not_before
