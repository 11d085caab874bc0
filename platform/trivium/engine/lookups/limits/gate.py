"""The gate of a lookup's calls: slots, rate, breaker, and the quiet that the lookup itself demands."""

from __future__ import annotations

import math
from random import Random

from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.engine.lookups.asks import Call, Portion
from trivium.engine.lookups.limits.breaker import CallBreaker


class Gate:
    """Says whether a call may begin now. A call keeps its slot until it returns, however late."""

    def __init__(self, settings: RemoteLookupSettings, random: Random) -> None:
        self.breaker = CallBreaker(settings.breaker, settings.concurrency, random)
        self._settings = settings
        self._calls: set[Call] = set()
        self._overdue = self._alone = 0
        self._next_call = self._quiet_until = -math.inf

    @property
    def in_flight(self) -> int:
        """Calls that have begun and not returned."""
        return len(self._calls)

    @property
    def is_hung(self) -> bool:
        """Return whether every call under way is overdue."""
        return bool(self._calls) and self._overdue == len(self._calls)

    def has_slot(self, portion: Portion) -> bool:
        """Return whether there is a slot: without `Hint.ASYNC` a call is alone."""
        if not portion.is_concurrent:
            return not self._calls
        return not self._alone and len(self._calls) < self._settings.concurrency

    def permits(self, portion: Portion, now: float) -> bool:
        """Return whether a call may begin now."""
        return self.has_slot(portion) and self.breaker.permits(now) and now >= self.opens_at()

    def opens_at(self) -> float:
        """Return the moment from which rate and quiet permit a call."""
        return max(self._next_call, self._quiet_until)

    def closed_until(self, now: float) -> float:
        """Return until when no call begins because the lookup fails or demands it; not after `now`: it is open."""
        stopped = self.breaker.reopens_at if self.breaker.state(now) == "open" else -math.inf
        return max(stopped, self._quiet_until)

    def begin(self, call: Call, now: float) -> None:
        """Count a call that begins."""
        self._calls.add(call)
        self._alone += not call.is_concurrent
        call.generation = self.breaker.begin()
        if self._settings.calls_per_second is not None:
            self._next_call = max(self._next_call, now) + 1 / self._settings.calls_per_second

    def overdue(self, call: Call) -> None:
        """Count a call that has had its time."""
        call.is_overdue = True
        self._overdue += 1

    def end(self, call: Call) -> None:
        """Count a call that returned."""
        self._calls.discard(call)
        self._alone -= not call.is_concurrent
        self._overdue -= call.is_overdue

    def keep_quiet(self, until: float) -> None:
        """Let no call begin before `until`: the lookup demands it."""
        self._quiet_until = max(self._quiet_until, until)
