"""Where answers are made: in the event loop itself, or in one thread beside it when lookups may wait.

The engine's worker is not thread-safe and is bound by the CPU, so there is one of it and it has one request at a time.
Handing a request to a thread and back costs more than a small event does; a pipeline without lookups has nothing to
wait for and answers on the spot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from trivium.contract.clock import Clock, Deadline
from trivium.engine.requests import EventAnswer, RequestWorker
from trivium.runtimes.serving.problems import Refused, too_late


@dataclass(frozen=True)
class Question:
    """A request's body, and the type of its events if the path named one. `allowed` is in seconds."""

    body: bytes
    event_type: str | None
    limit: Deadline
    allowed: float


class Answering(Protocol):
    """Makes answers. `busy_since` is when it began with what it is doing (monotonic), None while it has nothing to do.

    `answer` raises what `RequestWorker.answer` raises, and `Refused` when the deadline passed before there was one.
    """

    busy_since: float | None

    async def answer(self, question: Question) -> Sequence[EventAnswer]:
        """The outcome of each event."""

    def close(self) -> None:
        """Be done."""


class Inline:
    """Answers in the event loop."""

    def __init__(self, worker: RequestWorker, max_events: int, clock: Clock) -> None:
        self._worker, self._max_events, self._clock = worker, max_events, clock
        self.busy_since: float | None = None

    async def answer(self, question: Question) -> Sequence[EventAnswer]:
        """The outcome of each event, without ever giving way to another request."""
        if question.limit.passed():
            raise Refused(too_late(question.allowed))
        return self._worker.answer(question.body, question.event_type, question.limit, self._max_events)

    def close(self) -> None:
        """Nothing to do."""


class InThread:
    """Answers in one thread. A request whose deadline passes while it waits there is never begun."""

    def __init__(self, make: Callable[[], RequestWorker], max_events: int, clock: Clock) -> None:
        self._max_events, self._clock = max_events, clock
        self._pool = ThreadPoolExecutor(1, "answers")
        self.busy_since: float | None = None
        self._worker = self._pool.submit(make).result()

    async def answer(self, question: Question) -> Sequence[EventAnswer]:
        """The outcome of each event; late ones go on in the thread and are thrown away."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(question.limit.remaining()):
                return await loop.run_in_executor(self._pool, self._answer, question)
        except TimeoutError as error:
            raise Refused(too_late(question.allowed)) from error

    def close(self) -> None:
        """End the thread once it is done with what it does."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, question: Question) -> Sequence[EventAnswer]:
        if question.limit.passed():
            raise Refused(too_late(question.allowed))
        self.busy_since = self._clock.monotonic()
        try:
            return self._worker.answer(question.body, question.event_type, question.limit, self._max_events)
        finally:
            self.busy_since = None
