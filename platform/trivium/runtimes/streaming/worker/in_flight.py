"""Batches that are on their way through the worker at the same time, in the order of their offsets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from trivium.core.clock import Clock
from trivium.engine.outcomes import Outcomes
from trivium.engine.steps import Drive, FactClient
from trivium.engine.worker import Worker
from trivium.runtimes.streaming.worker.merge_chunks import Gathered

_ASIDE: Final = 2
"""Batches on their way where calls may run beside processing: one waits while the next is worked on."""
_ASIDE_OF_SLOW: Final = 16
"""The same where a lookup is declared slow."""
_BYTES: Final = 64 << 20
"""The most bytes of values of all batches on their way."""


@dataclass(frozen=True)
class _Flight:
    gathered: Gathered
    progress: Drive[Outcomes]


class InFlight:
    """Begins batches and gives them back in the same order; those whose hints do not allow it are waited for at once.

    `watch` is held around whatever runs code of an executor, and around nothing that waits.
    """

    def __init__(
        self,
        worker: Worker,
        clients: Mapping[str, FactClient],
        clock: Clock,
        watch: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._worker, self._clients, self._clock, self._watch = worker, clients, clock, watch
        self._flights: deque[_Flight] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def nbytes(self) -> int:
        """Bytes of values of the batches on their way."""
        return sum(flight.gathered.nbytes for flight in self._flights)

    @property
    def full(self) -> bool:
        """Return whether the first batch has to be waited for before another begins."""
        slow = any(flight.progress.is_slow for flight in self._flights)
        return len(self._flights) >= (_ASIDE_OF_SLOW if slow else _ASIDE) or self.nbytes > _BYTES

    def begin(self, gathered: Gathered) -> None:
        """Start with a batch, up to its first wait that may stand aside."""
        progress = Drive(self._worker.steps(gathered.batch), self._clients, self._clock)
        flight = _Flight(gathered, progress)
        self._flights.append(flight)
        while not self._advance(flight) and not progress.may_stand_aside:
            progress.wait()

    def finished(self) -> tuple[Gathered, Outcomes] | None:
        """Return the first batch if it is done; the others go on as far as they can."""
        for flight in self._flights:
            self._advance(flight)
        if not self._flights or not self._advance(self._flights[0]):
            return None
        first = self._flights.popleft()
        return first.gathered, first.progress.result

    def wait(self) -> None:
        """Wait for the first thing that the first batch waits for."""
        self._flights[0].progress.wait()

    def drop(self) -> None:
        """Forget the batches on their way: their records are read again."""
        self._flights.clear()

    def _advance(self, flight: _Flight) -> bool:
        if flight.progress.blocked:
            return False
        with self._watch():
            return flight.progress.advance()
