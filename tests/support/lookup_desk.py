"""A scheduler of a lookup's calls in the hands of a test, which is the lookup, the threads and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from tests.support.remote_lookup import SCHEMA, SHARED, answer_to, fetch_of, seen, spec
from trivium.contract.enrichment import Hint
from trivium.engine.lookups.answers import checked, facts_of
from trivium.engine.lookups.asks import Ask, Call
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.names import names_of
from trivium.engine.lookups.scheduler import Scheduler


class Desk:
    """`running` are the calls that have begun and were neither answered nor failed, oldest first."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.now = 0.0
        self.scheduler = Scheduler(spec(**settings), RetryBudget(), Random(seed))
        self.running: list[Call] = []
        self.begun: list[float] = []

    def ask(self, keys: Sequence[int], limit: float | None = None, hints: Hint = SHARED) -> Ask:
        fetch = fetch_of(keys, hints)
        ask = Ask(fetch, names_of(fetch.keys, None), None if limit is None else self.now + limit)
        self.scheduler.ask(ask, self.now)
        self.go_on()
        return ask

    def answer(self, place: int = 0) -> None:
        call = self.running.pop(place)
        found = checked(answer_to(call.keys.to_pylist()), "values", len(call.keys), SCHEMA)
        self.scheduler.succeeded(call, found, self.now)
        self.go_on()

    def fail(self, place: int = 0, retry_after: float = 0.0) -> None:
        self.scheduler.failed(self.running.pop(place), "down", retry_after, self.now)
        self.go_on()

    def advance(self, seconds: float) -> None:
        target = self.now + seconds
        while (at := self.scheduler.wakes_at(self.now)) is not None and at <= target:
            self.now = max(self.now, at)
            self.go_on()
        self.now = target
        self.go_on()

    def go_on(self) -> None:
        self.scheduler.tick(self.now)
        for call in self.scheduler.start(self.now):
            self.running.append(call)
            self.begun.append(self.now)
        self.scheduler.board.ended.clear()

    @property
    def carried(self) -> list[list[int]]:
        """The keys of each running call."""
        return [call.keys.to_pylist() for call in self.running]

    @property
    def breaker(self) -> str:
        return self.scheduler.read(self.now).breaker


def facts(ask: Ask) -> list[tuple[str, int | None]]:
    """State and value of each key of an ask that has ended."""
    assert ask.ended
    return seen(facts_of(ask, SCHEMA))
