"""The only owners of time: everything that waits or stamps is handed a Clock; time-outs are Deadlines handed down."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import msgspec


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations, and the one way to wait."""

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until a condition that one holds is notified, at most for so long."""


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until a condition that one holds is notified, at most for so long."""
        condition.wait(seconds)


class Deadline(msgspec.Struct, frozen=True):
    """A moment after which an answer is of no use. Handed down a call chain, so time-outs do not add up."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def within(self, outer: Deadline | None) -> Deadline:
        """Return the earlier of this and the deadline one was given, if one was."""
        return self if outer is None or self.at <= outer.at else outer

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    def passed(self) -> bool:
        """Return whether no time is left."""
        return self.remaining() <= 0.0
