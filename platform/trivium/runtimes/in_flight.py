"""Batches that are on their way through the worker at the same time, in the order in which they began."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from trivium.core.clock import Clock
from trivium.engine.batch import Batch
from trivium.engine.outcomes import Outcomes
from trivium.engine.steps import Drive, FactClient
from trivium.engine.worker import Worker

MOST_ASIDE: Final = 2
"""Batches on their way where calls may run beside processing: one waits while the next is worked on."""
MOST_ASIDE_OF_SLOW: Final = 16
"""The same where a lookup is declared slow."""
_LOOK_SECONDS: Final = 0.25
_BYTES: Final = 64 << 20
"""The most bytes of all batches on their way; one that is larger is alone."""

PartT = TypeVar("PartT")


class Waits:
    """A flag around waits, to be read from any thread: `now` is true while one goes on."""

    now = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the flag up."""
        self.now = True
        try:
            yield
        finally:
            self.now = False


class WaitOver(Exception):
    """The end of a wait for facts that are not there yet."""


@dataclass(frozen=True)
class _Flight(Generic[PartT]):
    part: PartT
    nbytes: int
    drive: Drive[Outcomes]


class InFlight(Generic[PartT]):
    """Begins batches and gives them back in the same order, each as the part of the source that it was.

    Those whose hints do not allow it are waited for at once. `watch` is held around whatever runs code of an executor,
    and around nothing that waits; `waiting` is held around every wait, which ends once `is_over` says so.
    """

    def __init__(
        self,
        worker: Worker,
        clients: Mapping[str, FactClient],
        clock: Clock,
        watch: Callable[[], AbstractContextManager[None]] = nullcontext,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        is_over: Callable[[], bool] = bool,
    ) -> None:
        self._worker, self._clients, self._clock = worker, clients, clock
        self._watch, self._waiting, self._is_over = watch, waiting, is_over
        self._flights: deque[_Flight[PartT]] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def nbytes(self) -> int:
        """Bytes of the batches on their way."""
        return sum(flight.nbytes for flight in self._flights)

    @property
    def full(self) -> bool:
        """Return whether the first batch has to be waited for before another begins."""
        slow = any(flight.drive.is_slow for flight in self._flights)
        return len(self._flights) >= (MOST_ASIDE_OF_SLOW if slow else MOST_ASIDE) or self.nbytes > _BYTES

    def begin(self, part: PartT, batch: Batch, nbytes: int) -> None:
        """Start with a batch, up to its first wait that may stand aside.

        Raises:
            WaitOver: it is not waited for any longer.
        """
        flight = _Flight(part, nbytes, Drive(self._worker.steps(batch), self._clients, self._clock))
        self._flights.append(flight)
        while not self._advance(flight) and not flight.drive.may_stand_aside:
            self._wait(flight)

    def finished(self) -> tuple[PartT, Outcomes] | None:
        """Return the first batch if it is done; the others go on as far as they can."""
        for flight in self._flights:
            self._advance(flight)
        if not self._flights or not self._advance(self._flights[0]):
            return None
        first = self._flights.popleft()
        return first.part, first.drive.result

    def run(self, parts: Iterable[tuple[PartT, Batch, int]]) -> Iterator[tuple[PartT, Outcomes]]:
        """Take parts, their batches and bytes through the worker, and yield each with what became of it.

        The next ones are begun while the first waits. Whatever was on its way before is forgotten.
        """
        self.drop()
        for part in parts:
            self.begin(*part)
            yield from self._taken()
            while self.full:
                self.wait()
                yield from self._taken()
        while self._flights:
            self.wait()
            yield from self._taken()

    def _taken(self) -> Iterator[tuple[PartT, Outcomes]]:
        while finished := self.finished():
            yield finished

    def wait(self) -> None:
        """Wait for the first thing that the first batch waits for.

        Raises:
            WaitOver: it is not waited for any longer.
        """
        self._wait(self._flights[0])

    def drop(self) -> None:
        """Forget the batches on their way: their records are read again."""
        self._flights.clear()

    def _wait(self, flight: _Flight[PartT]) -> None:
        with self._waiting():
            while pending := flight.drive.pending:
                if futures.wait(pending[:1], _LOOK_SECONDS).done:
                    return
                if self._is_over():
                    raise WaitOver
            flight.drive.wait()

    def _advance(self, flight: _Flight[PartT]) -> bool:
        if flight.drive.blocked:
            return False
        with self._watch():
            return flight.drive.advance()
