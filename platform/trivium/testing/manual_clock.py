"""A clock that a test moves by hand: sleeping takes no time and is written down."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class ManualClock:
    """A Clock that starts at `seconds`, as wall and as monotonic time; `sleeps` lists every wait that was requested."""

    seconds: float = 0.0
    sleeps: list[float] = field(default_factory=list)

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        return round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Return seconds since the clock was set to zero."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move on by so much at once."""
        self.sleeps.append(seconds)
        self.seconds += seconds

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Move on by so much at once."""
        self.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody asking for it."""
        self.seconds += seconds
