"""Steps of the worker: what it needs from its host before it can go on, and hosts that wait in place."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from trivium.contract.enrichment import Hint
from trivium.core.clock import Clock, Deadline
from trivium.engine.lookups.fetch import Facts, Fetch

T = TypeVar("T")


@dataclass(frozen=True)
class WaitTime:
    """A wait before the worker goes on: an executor's error that is worth another attempt."""

    seconds: float


Need: TypeAlias = Sequence[Fetch] | WaitTime
"""Fetches that do not depend on each other, or a pause; the host sends the facts, in that order, or nothing."""
Steps: TypeAlias = Generator[Need, Sequence[Facts] | None, T]


class FactClient(Protocol):
    """A lookup as hosts see it: the client around it."""

    def ask(self, fetch: Fetch, limit: Deadline | None) -> Facts | Future[Facts]:
        """Return the facts where they are at hand, else a future of them."""
        ...

    def close(self) -> None:
        """Make no more calls."""


class Drive(Generic[T]):
    """A generator of steps, driven by its host: `advance` goes as far as there is nothing to wait for.

    Fetches that no hint lets run beside others come one after the other, after those that may.
    """

    def __init__(
        self, steps: Steps[T], lookups: Mapping[str, FactClient], clock: Clock, limit: Deadline | None = None
    ) -> None:
        self._steps, self._lookups, self._clock, self._limit = steps, lookups, clock, limit
        self._need: Need | None = None
        self._answers: list[Facts | Future[Facts] | None] = []
        self._resume_at = 0.0
        self._result: list[T] = []

    def advance(self) -> bool:
        """Go on until there is something to wait for; return whether all steps are done.

        Raises:
            RunError: a lookup stayed unavailable and the pipeline says that this fails the run, or it is broken.
        """
        while not self._result and (self._need is None or self._ready()):
            self._resume()
        return bool(self._result)

    @property
    def blocked(self) -> bool:
        """Return whether there is something that has to be waited for before anything can go on."""
        return not self._result and self._need is not None and not self._ready()

    @property
    def result(self) -> T:
        """The result; there is one once `advance` has said so."""
        return self._result[0]

    @property
    def pending(self) -> list[Future[Facts]]:
        """The answers that are waited for; none during a pause."""
        return [each for each in self._answers if isinstance(each, Future) and not each.done()]

    @property
    def resumes_in(self) -> float:
        """The seconds that are left of a pause."""
        return max(0.0, self._resume_at - self._clock.monotonic()) if isinstance(self._need, WaitTime) else 0.0

    @property
    def may_stand_aside(self) -> bool:
        """Return whether other batches may go on while this one waits: hints of all that it waits for allow it."""
        if self._need is None or isinstance(self._need, WaitTime):
            return False
        waiting = [f for f, a in zip(self._need, self._answers, strict=True) if not isinstance(a, Facts)]
        return all(fetch.hints & (Hint.ASYNC | Hint.SLOW) for fetch in waiting)

    @property
    def is_slow(self) -> bool:
        """Return whether what is waited for is declared slow, so that much may be in flight beside it."""
        fetches = () if self._need is None or isinstance(self._need, WaitTime) else self._need
        return any(fetch.hints & Hint.SLOW for fetch in fetches)

    def wait(self) -> None:
        """Wait, in place, for the first thing there is to wait for."""
        if isinstance(self._need, WaitTime):
            self._clock.sleep(self.resumes_in)
            return
        for each in self.pending[:1]:
            each.exception()

    def _resume(self) -> None:
        sent = (
            None if self._need is None or isinstance(self._need, WaitTime) else [_facts(each) for each in self._answers]
        )
        try:
            self._need = next(self._steps) if sent is None else self._steps.send(sent)
        except StopIteration as done:
            self._result.append(done.value)
            return
        if isinstance(self._need, WaitTime):
            self._resume_at = self._clock.monotonic() + self._need.seconds
            return
        self._answers = [None] * len(self._need)
        for place, fetch in enumerate(self._need):
            if fetch.hints & Hint.ASYNC:
                self._answers[place] = self._ask(fetch)

    def _ready(self) -> bool:
        """Return whether what is needed is there; ask the next fetch that had to wait for others."""
        if isinstance(self._need, WaitTime):
            return self.resumes_in <= 0.0
        assert self._need is not None
        if self.pending:
            return False
        for place, fetch in enumerate(self._need):
            if self._answers[place] is None:
                self._answers[place] = self._ask(fetch)
                if self.pending:
                    return False
        return True

    def _ask(self, fetch: Fetch) -> Facts | Future[Facts]:
        return self._lookups[fetch.lookup].ask(fetch, self._limit)


def _facts(answer: Facts | Future[Facts] | None) -> Facts:
    assert answer is not None
    return answer if isinstance(answer, Facts) else answer.result()


def run_in_place(steps: Steps[T], lookups: Mapping[str, FactClient], clock: Clock, limit: Deadline | None = None) -> T:
    """Run steps to their end, waiting in place for whatever they need.

    Raises:
        RunError: a lookup stayed unavailable and the pipeline says that this fails the run, or it is broken.
    """
    progress = Drive(steps, lookups, clock, limit)
    while not progress.advance():
        progress.wait()
    return progress.result
