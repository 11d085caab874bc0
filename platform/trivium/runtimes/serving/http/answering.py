"""Hosts of the request worker: in the event loop itself, or in one thread beside it when lookups may wait.

The engine's worker is not thread-safe and is bound by the CPU, so there is one of it and it has one request at a time.
Handing a request to a thread and back costs more than a small event does; a pipeline without lookups has nothing to
wait for and answers on the spot, as long as that leaves the loop time for its other business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from trivium.core.clock import Clock, Deadline
from trivium.engine.requests.worker import EventAnswer, RequestWorker
from trivium.runtimes.serving.http.admission import Admission, AdmittedRequest
from trivium.runtimes.serving.http.problems import Refused, too_late

_TURN_SECONDS: Final = 0.005
_LONGEST_TURN_SECONDS: Final = 0.02


class EventRequest(msgspec.Struct, frozen=True, gc=False):
    """A request's body, and the type of its events if the path named one. `allowed` is in seconds."""

    body: bytes
    event_type: str | None
    limit: Deadline
    allowed: float


class Answering(Protocol):
    """Makes answers. `busy_since` is when it began with what it is doing (monotonic), None while it has nothing to do.

    `answer` raises what `RequestWorker.answer` raises, and `Refused` when the deadline passed before there was one, or
    would.
    """

    busy_since: float | None

    async def answer(self, request: EventRequest) -> Sequence[EventAnswer]:
        """Return the outcome of each event."""

    def close(self) -> None:
        """Be done."""


@dataclass(frozen=True)
class _Waiting:
    request: EventRequest
    admitted: AdmittedRequest
    answer: asyncio.Future[Sequence[EventAnswer]]


class Inline:
    """Answers in the event loop, in the order requests came, with turns for whatever else the loop has to do.

    A turn lasts 5 ms, or as long as the loop was busy with other things before it, 20 ms at most: what is to be read,
    refused or a check of its health passes the loop several times and waits for a turn each time.
    """

    def __init__(self, worker: RequestWorker, admission: Admission, max_events: int, clock: Clock) -> None:
        self._worker, self._admission, self._max_events, self._clock = worker, admission, max_events, clock
        self._line: deque[_Waiting] = deque()
        self._spent = 0.0
        self._turn_ended = 0.0
        self._turn_due = False
        self.busy_since: float | None = None

    async def answer(self, request: EventRequest) -> Sequence[EventAnswer]:
        """Return the outcome of each event, on the spot if this turn of the loop has time left."""
        admitted = self._admission.enter(len(request.body), request.limit)
        try:
            if not self._line and self._spent < _TURN_SECONDS:
                return self._answered(request, admitted)
            waiting = _Waiting(request, admitted, asyncio.get_running_loop().create_future())
            self._line.append(waiting)
            return await waiting.answer
        finally:
            self._admission.leave(admitted)

    def close(self) -> None:
        """Do nothing: there is nothing to end."""

    def _answered(self, request: EventRequest, admitted: AdmittedRequest) -> Sequence[EventAnswer]:
        if request.limit.passed():
            raise Refused(too_late(request.allowed))
        began = self._clock.monotonic()
        try:
            answers = self._worker.answer(request.body, request.event_type, request.limit, self._max_events)
        finally:
            self._admission.learn(admitted)
            self._spent += self._clock.monotonic() - began
            if not self._turn_due:
                self._turn_due = True
                asyncio.get_running_loop().call_soon(self._turn)
        if request.limit.passed():
            raise Refused(too_late(request.allowed))
        return answers

    def _turn(self) -> None:
        """Answer those in line until the turn is over; the loop looks at its sockets before the next one."""
        began = self._clock.monotonic()
        over = began + min(_LONGEST_TURN_SECONDS, max(_TURN_SECONDS, began - self._turn_ended))
        while self._line and self._clock.monotonic() < over:
            waiting = self._line.popleft()
            if waiting.answer.done():  # nobody waits for it any more
                continue
            try:
                waiting.answer.set_result(self._answered(waiting.request, waiting.admitted))
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
                waiting.answer.set_exception(error)
        self._spent, self._turn_ended = 0.0, self._clock.monotonic()
        self._turn_due = bool(self._line)
        if self._turn_due:
            asyncio.get_running_loop().call_soon(self._turn)


class InThread:
    """Answers in one thread. A request whose deadline passes while it waits there is never begun."""

    def __init__(self, make: Callable[[], RequestWorker], admission: Admission, max_events: int, clock: Clock) -> None:
        self._admission, self._max_events, self._clock = admission, max_events, clock
        self._pool = ThreadPoolExecutor(1, "answers")
        self.busy_since: float | None = None
        self._worker = self._pool.submit(make).result()

    async def answer(self, request: EventRequest) -> Sequence[EventAnswer]:
        """Return the outcome of each event; late ones go on in the thread and are thrown away."""
        admitted = self._admission.enter(len(request.body), request.limit)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(request.limit.remaining()):
                return await loop.run_in_executor(self._pool, self._answer, request, admitted)
        except TimeoutError as error:
            raise Refused(too_late(request.allowed)) from error
        finally:
            self._admission.leave(admitted)

    def close(self) -> None:
        """End the thread once it is done with what it does."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, request: EventRequest, admitted: AdmittedRequest) -> Sequence[EventAnswer]:
        if request.limit.passed():
            raise Refused(too_late(request.allowed))
        self.busy_since = self._clock.monotonic()
        try:
            return self._worker.answer(request.body, request.event_type, request.limit, self._max_events)
        finally:
            self._admission.learn(admitted)
            self.busy_since = None
