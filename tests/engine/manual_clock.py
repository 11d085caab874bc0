"""A clock that a test moves by hand: sleeping takes no time and is written down."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ManualClock:
    """Starts at `seconds`; `sleeps` lists every wait that was asked for."""

    seconds: float = 0.0
    sleeps: list[float] = field(default_factory=list)

    def now_us(self) -> int:
        return round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds
