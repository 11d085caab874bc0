"""Admission: requests that can be answered in time, judged by the pace of those before them."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from trivium.config.model.serving import Serving
from trivium.core.clock import Clock, Deadline
from trivium.runtimes.serving.http.problems import Refused, overloaded

# A request with an empty body costs about as much as this many bytes of one that is long.
_BYTES_OF_A_REQUEST: Final = 500
_REMEMBERED: Final = 20
# What a replica does for the first time, or while the machine does something else, says nothing about the next request.
_OUTLIERS: Final = 2
_MARGIN: Final = 0.7


class AdmittedRequest(msgspec.Struct, frozen=True, gc=False):
    """A request that was let in: what it weighs, in bytes, and when it came (monotonic seconds)."""

    weight: int
    since: float


class Admission:
    """The requests of one replica that wait for an answer, and how long answers take.

    A request is refused at once when `max_ongoing_requests` are there, or when those that are there and itself would
    take longer than its deadline allows, at the pace of the last 20 answers without the two slowest. The first three,
    and whoever finds nobody there, are always let in: there is no other way to learn the pace.
    """

    def __init__(self, section: Serving, clock: Clock) -> None:
        self._section, self._clock = section, clock
        self._places = 0
        self._weight = 0
        self._last_answer = 0.0
        self._paces: deque[float] = deque(maxlen=_REMEMBERED)
        self._pace: float | None = 0.0

    def enter(self, size: int, limit: Deadline) -> AdmittedRequest:
        """Take a place for a request with a body of `size` bytes.

        Raises:
            Refused: 429, there is none or it would be of no use.
        """
        weight = _BYTES_OF_A_REQUEST + size
        section = self._section
        if self._places >= section.max_ongoing_requests:
            held = f"this replica already holds {section.max_ongoing_requests} requests"
            raise Refused(overloaded(held, section.retry_after_seconds))
        if self._places:
            needed = (self._weight + weight) * self._usual_pace()
            if needed > _MARGIN * limit.remaining():
                held = f"this replica holds {self._places} requests and needs {needed:.2g} s for one more"
                raise Refused(overloaded(held, section.retry_after_seconds))
        self._places += 1
        self._weight += weight
        return AdmittedRequest(weight, self._clock.monotonic())

    def leave(self, admitted: AdmittedRequest) -> None:
        """Give a place back, whatever became of its request."""
        self._places -= 1
        self._weight -= admitted.weight

    def learn(self, admitted: AdmittedRequest, busy: float, waited: float) -> None:
        """Take note that the request of this place has its answer now.

        What counts is the time since the answer before, or since this request came to an idle replica: it holds all
        that keeps a replica from answering, not the executor alone. `busy` and `waited` are the seconds that this
        answer was worked on and waited for facts; while it waits, others are answered.
        """
        now = self._clock.monotonic()
        spent = max(busy, now - max(self._last_answer, admitted.since) - waited)
        self._last_answer = now
        self._paces.append(spent / admitted.weight)
        self._pace = None

    def _usual_pace(self) -> float:
        """Return the seconds a byte of weight takes; worked out when somebody needs it, not at every answer."""
        if self._pace is None:
            usual = sorted(self._paces)[:-_OUTLIERS]
            self._pace = sum(usual) / len(usual) if usual else 0.0
        return self._pace
