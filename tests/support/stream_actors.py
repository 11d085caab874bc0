"""Processes that take turns: each runs in a thread of its own, only while it is told to, from one pause to the next.

A pause stands before every look at a table and before every commit; what happens there is ordered from outside. An
actor that is not told to go on is a stopped process; one that is killed does nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Order = Literal["go", "fail", "lost", "blind", "late", "kill"]
"""What happens at a pause. A look at a table can `fail`. A commit can be `lost` on its way; land with its response lost
(`blind`); or be taken for lost and land after all, if its version is still free then (`late`)."""

_SECONDS: Final = 60.0
_current = threading.local()


class Killed(BaseException):
    """The process is gone. Nothing that catches errors catches it."""


@dataclass
class ActorClock:
    """Waiting takes no time and is added up."""

    slept: float = 0.0

    def now_us(self) -> int:
        return 1_767_225_600_000_000

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Actor:
    """One process: `point` is where it waits, `error` what it ended with.

    The next `outage` looks at a table fail; `kept` is what it remembers of tables. `doubted`: a commit of its was given
    up without its outcome being known.
    """

    def __init__(self, kind: str, body: Callable[[Actor], None]) -> None:
        self.kind, self.clock = kind, ActorClock()
        self.point, self.ended, self.outage, self.doubted = "start", False, 0, False
        self.kept: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._body, self._order = body, "go"
        self._turn, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self, order: Order = "go") -> None:
        """Let it go on to its next pause, or to its end."""
        if self.ended:
            return
        self._order = order
        self._turn.release()
        assert self._done.acquire(timeout=_SECONDS), f"{self.kind} never came back from {self.point}"

    def kill(self) -> None:
        self.resume("kill")
        self._thread.join()

    def pause(self, point: str) -> str:
        """Called by the process: wait for an order."""
        self.point = point
        self._done.release()
        self._wait()
        return self._order

    def _run(self) -> None:
        _current.actor = self
        try:
            self._wait()
            self._body(self)
        except BaseException as error:  # noqa: BLE001 - how a process ended is for its starter to judge
            self.error = error
        self.ended = True
        self._done.release()

    def _wait(self) -> None:
        self._turn.acquire()
        if self._order == "kill":
            raise Killed


def current() -> Actor | None:
    """The process that is running; None in the test itself."""
    return getattr(_current, "actor", None)
