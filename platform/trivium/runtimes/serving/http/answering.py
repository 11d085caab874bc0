"""Hosts the request worker in the event loop: requests wait for facts side by side, and for the processor in line.

The engine's worker is bound by the CPU, so one request at a time has it. Handing a request to a thread and back costs
more than a small event does; answers are made on the spot, as long as that leaves the loop time for its other business.
While facts are fetched, other requests go on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from trivium.core.clock import Clock, Deadline
from trivium.engine.lookups.fetch import Facts
from trivium.engine.requests.worker import EventAnswer, RequestWorker
from trivium.engine.steps import Drive, FactClient
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
    """Makes answers. It raises what `RequestWorker.steps` raises, and `Refused` when the deadline passed, or would."""

    async def answer(self, request: EventRequest) -> Sequence[EventAnswer]:
        """Return the outcome of each event."""

    def close(self) -> None:
        """Be done."""


@dataclass(frozen=True)
class _Waiting:
    request: EventRequest
    admitted: AdmittedRequest
    begun: asyncio.Future[_Answer]


class _Answer:
    """An answer on its way. `busy` and `waited` are the seconds that it had the loop, and waited for facts."""

    def __init__(self, progress: Drive[list[EventAnswer]], clock: Clock) -> None:
        self._progress, self._clock = progress, clock
        self.busy = self.waited = 0.0
        self.done = False

    @property
    def result(self) -> list[EventAnswer]:
        return self._progress.result

    def advance(self) -> bool:
        """Go on until there is something to wait for; return whether the answer is there."""
        began = self._clock.monotonic()
        try:
            self.done = self._progress.advance()
            return self.done
        finally:
            self.busy += self._clock.monotonic() - began

    async def wait(self, limit: Deadline) -> None:
        """Wait for what the worker needs, and no longer than the deadline."""
        began = self._clock.monotonic()
        pending = [_awaited(each) for each in self._progress.pending]
        if pending:
            await asyncio.wait(pending, timeout=limit.remaining())
        else:
            await asyncio.sleep(min(self._progress.resumes_in, limit.remaining()))
        self.waited += self._clock.monotonic() - began


def _awaited(answer: Future[Facts]) -> asyncio.Future[Facts]:
    """Return an answer as the loop waits for it; its error is the worker's to raise, and nothing for the loop's log."""
    future = asyncio.wrap_future(answer)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


class LoopAnswering:
    """Answers in the order in which requests came, with turns for whatever else the loop has to do.

    A turn lasts 5 ms, or as long as the loop was busy with other things before it, 20 ms at most: what is to be read,
    refused or a check of its health passes the loop several times and waits for a turn each time.
    """

    def __init__(
        self,
        worker: RequestWorker,
        clients: Mapping[str, FactClient],
        admission: Admission,
        max_events: int,
        clock: Clock,
    ) -> None:
        self._worker, self._clients, self._admission = worker, clients, admission
        self._max_events, self._clock = max_events, clock
        self._line: deque[_Waiting] = deque()
        self._spent = 0.0
        self._turn_ended = 0.0
        self._turn_due = False

    async def answer(self, request: EventRequest) -> Sequence[EventAnswer]:
        """Return the outcome of each event, on the spot if this turn of the loop has time left."""
        admitted = self._admission.enter(len(request.body), request.limit)
        try:
            if not self._line and self._spent < _TURN_SECONDS:
                answer = self._begin(request)
                self._advance(answer, request, admitted)
            else:
                waiting = _Waiting(request, admitted, asyncio.get_running_loop().create_future())
                self._line.append(waiting)
                answer = await waiting.begun
            while not answer.done:
                await answer.wait(request.limit)
                if request.limit.passed():
                    raise Refused(too_late(request.allowed))
                self._advance(answer, request, admitted)
            return answer.result
        finally:
            self._admission.leave(admitted)

    def close(self) -> None:
        """End the lookups' clients."""
        for client in self._clients.values():
            client.close()

    def _begin(self, request: EventRequest) -> _Answer:
        if request.limit.passed():
            raise Refused(too_late(request.allowed))
        steps = self._worker.steps(request.body, request.event_type, request.limit, self._max_events)
        return _Answer(Drive(steps, self._clients, self._clock, request.limit), self._clock)

    def _advance(self, answer: _Answer, request: EventRequest, admitted: AdmittedRequest) -> None:
        """Go on with an answer.

        Raises:
            Refused: it is there, and too late.
        """
        before, over = answer.busy, True
        try:
            over = answer.advance()
        finally:
            if over:
                self._admission.learn(admitted, answer.busy, answer.waited)
            self._spent += answer.busy - before
            if not self._turn_due:
                self._turn_due = True
                asyncio.get_running_loop().call_soon(self._turn)
        if over and request.limit.passed():
            raise Refused(too_late(request.allowed))

    def _turn(self) -> None:
        """Begin answers of those in line until the turn is over; the loop looks at its sockets before the next one."""
        began = self._clock.monotonic()
        over = began + min(_LONGEST_TURN_SECONDS, max(_TURN_SECONDS, began - self._turn_ended))
        while self._line and self._clock.monotonic() < over:
            waiting = self._line.popleft()
            if waiting.begun.done():  # nobody waits for it any more
                continue
            try:
                answer = self._begin(waiting.request)
                self._advance(answer, waiting.request, waiting.admitted)
                waiting.begun.set_result(answer)
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
                waiting.begun.set_exception(error)
        self._spent, self._turn_ended = 0.0, self._clock.monotonic()
        self._turn_due = bool(self._line)
        if self._turn_due:
            asyncio.get_running_loop().call_soon(self._turn)
