"""The scheduler under hypothesis: asks, answers, failures, hangs and time in any order, on a clock of its own."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.support.remote_lookup import SCHEMA, SHARED, fetch_of, spec
from trivium.contract.enrichment import Hint
from trivium.contract.lookup_settings import CacheSettings, LookupBreaker, Unavailable
from trivium.contract.retry import RetryPolicy
from trivium.core.errors import RunError
from trivium.engine.lookups.answers import facts_of
from trivium.engine.lookups.asks import Ask, Call, Found
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.fetch import KeyState
from trivium.engine.lookups.names import names_of
from trivium.engine.lookups.scheduler import Scheduler

CONCURRENCY, MAX_KEYS, RATE, SECONDS, ABSENT_SECONDS, STALE_SECONDS = 3, 4, 4, 10.0, 3.0, 5.0
MOST_BYTES = 1 << 16
LEAST_RETRIES, SHARE, WINDOW = 3, 0.2, 10.0
HINTS = [Hint.NONE, Hint.ASYNC, Hint.CACHEABLE, SHARED, SHARED]
A_BIT = 1e-6


class Model(RuleBasedStateMachine):
    """What must hold of any scheduler, checked beside the real one."""

    unavailable: ClassVar[Unavailable] = "missing"

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.scheduler = Scheduler(
            spec(
                unavailable=self.unavailable,
                retry=RetryPolicy(attempts=3, first_delay_seconds=0.5, deadline_seconds=20.0),
                cache=CacheSettings(
                    max_bytes=MOST_BYTES, seconds=SECONDS, absent_seconds=ABSENT_SECONDS, stale_seconds=STALE_SECONDS
                ),
                breaker=LookupBreaker(window_calls=5, open_seconds=2.0),
                concurrency=CONCURRENCY,
                max_keys=MAX_KEYS,
                calls_per_second=RATE,
                timeout_seconds=5.0,
                wait_seconds=60.0,
            ),
            RetryBudget(SHARE, LEAST_RETRIES, WINDOW),
            Random(7),
        )
        self.asks: dict[Ask, float] = {}
        self.ended: set[Ask] = set()
        self.running: list[Call] = []
        self.starts: list[float] = []
        self.retries: list[float] = []
        self.answers: dict[int, list[tuple[float, float, int | None]]] = defaultdict(list)
        self.numbers = 0

    @rule(
        keys=st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True)
        | st.lists(st.integers(0, 60), min_size=9, max_size=14, unique=True),
        hints=st.sampled_from(HINTS),
        limit=st.sampled_from([None, None, 0.0, 0.1, 2.0, 8.0]),
    )
    def ask(self, keys: list[int], hints: Hint, limit: float | None) -> None:
        fetch = fetch_of(keys, hints)
        ask = Ask(fetch, names_of(fetch.keys, None), None if limit is None else self.now + limit)
        self.asks[ask] = self.now
        self.scheduler.ask(ask, self.now)
        self.go_on()

    @precondition(lambda self: self.running)
    @rule(place=st.integers(0, 99), stale=st.sampled_from([False] * 5 + [True]))
    def answer(self, place: int, stale: bool) -> None:
        call = self.running.pop(place % len(self.running))
        self.numbers += 1
        keys = call.keys.to_pylist()
        values = [None if (key + self.numbers) % 3 == 0 else key * 1000 + self.numbers for key in keys]
        rows = [value for value in values if value is not None]
        batch = pa.RecordBatch.from_pydict({"value": rows, "text": ["x" * 500 for _ in rows]}, schema=SCHEMA)
        found = np.array([value is not None for value in values])
        numbers = np.where(found, np.cumsum(found) - 1, -1).astype(np.int32)
        if not call.is_overdue:
            for key, value in zip(keys, values, strict=True):
                self.answers[key].append((call.started, self.now, value))
        self.scheduler.succeeded(call, Found(batch, numbers, stale), self.now)
        self.go_on()

    @precondition(lambda self: self.running)
    @rule(place=st.integers(0, 99), retry_after=st.sampled_from([0.0, 0.0, 0.0, 1.5, float("inf")]))
    def fail(self, place: int, retry_after: float) -> None:
        call = self.running.pop(place % len(self.running))
        self.scheduler.failed(call, "down", retry_after, self.now)
        self.go_on()

    @precondition(lambda self: self.running)
    @rule(place=st.integers(0, 99))
    def break_contract(self, place: int) -> None:
        call = self.running.pop(place % len(self.running))
        self.scheduler.broke(call, RunError("a lie"), self.now)
        self.go_on()

    @precondition(lambda self: self.running)
    @rule(seconds=st.sampled_from([0.3, 1.0]))
    def answer_all(self, seconds: float) -> None:
        for _ in range(5):
            if self.running:
                self.answer(0, stale=False)
                self.pass_time(seconds)

    @rule(seconds=st.sampled_from([0.05, 0.3, 0.3, 1.0, 1.0, 3.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        target = self.now + seconds
        steps = 0
        while (at := self.scheduler.wakes_at(self.now)) is not None and at <= target:
            self.now = max(self.now, at)
            self.go_on()
            steps += 1
            assert steps < 10_000
        self.now = target
        self.go_on()

    def go_on(self) -> None:
        self.scheduler.tick(self.now)
        before = self.scheduler.metrics.calls
        for call in self.scheduler.start(self.now):
            self.running.append(call)
            self.check_start(call)
        assert self.scheduler.metrics.calls - before <= CONCURRENCY
        self.check_retries()
        for ask in self.scheduler.board.ended:
            self.check_end(ask)
        self.scheduler.board.ended.clear()
        self.check()

    def check_start(self, call: Call) -> None:
        assert not self.starts or self.now - self.starts[-1] >= 1 / RATE - A_BIT
        self.starts.append(self.now)
        assert len(call.keys) <= MAX_KEYS
        assert self.now < call.at <= self.now + 5.0 + A_BIT
        state = self.scheduler.read(self.now).breaker
        assert state != "open"
        if state == "half_open":
            current = [each for each in self.running if each.generation == call.generation and not each.is_overdue]
            assert current == [call]

    def check_retries(self) -> None:
        """Whenever there is a new retry, those of the window are a bounded share of its calls."""
        new = self.scheduler.metrics.retries - len(self.retries)
        if new:
            self.retries += [self.now] * new
            calls = sum(at > self.now - WINDOW for at in self.starts)
            assert sum(at > self.now - 0.9 * WINDOW for at in self.retries) <= LEAST_RETRIES + SHARE * calls

    def check_end(self, ask: Ask) -> None:
        assert ask not in self.ended
        self.ended.add(ask)
        assert ask.until is None or self.now <= ask.until + A_BIT
        if ask.broken is not None:
            return
        facts = facts_of(ask, SCHEMA)
        values = facts.rows.column("value").to_pylist()
        states = ask.states.tolist()
        for key, place, state in zip(ask.names, facts.index.to_pylist(), states, strict=True):
            self.check_key(ask, key, None if place is None else values[place], KeyState(state))
        assert (KeyState.UNAVAILABLE in states or KeyState.STALE in states) or not facts.error

    def check_key(self, ask: Ask, key: Any, value: int | None, state: KeyState) -> None:
        """Every fact is one that was answered, and young enough; nothing but an answer makes a key missing."""
        began = self.asks[ask]
        is_kept = Hint.CACHEABLE in ask.fetch.hints
        ages = {
            KeyState.HIT: SECONDS * is_kept,
            KeyState.MISSING: ABSENT_SECONDS * is_kept,
            KeyState.STALE: self.now - began + (SECONDS + STALE_SECONDS) * is_kept,
        }
        if state is KeyState.UNAVAILABLE:
            assert value is None
            return
        assert (value is None) is (state is KeyState.MISSING)
        assert any(
            known == value and (started > began - ages[state] or answered >= began)
            for started, answered, known in self.answers[key]
        )

    def check(self) -> None:
        assert len(self.running) == self.scheduler.in_flight <= CONCURRENCY
        if any(not call.is_concurrent for call in self.running):
            assert len(self.running) == 1
        keys = [
            key
            for call in self.running
            if not call.is_overdue and call.portions[0].is_cacheable
            for key in call.keys.to_pylist()
        ]
        assert len(keys) == len(set(keys))
        found = self.scheduler.read(self.now)
        assert found.cache_bytes <= MOST_BYTES
        if len(self.asks) == len(self.ended):
            assert found.waiting == 0

    def teardown(self) -> None:
        """Nobody answers any more: still every ask ends, and nothing is left behind."""
        for _ in range(20):
            self.pass_time(30.0)
        assert set(self.asks) == self.ended
        for call in list(self.running):
            self.running.remove(call)
            self.scheduler.failed(call, "back at last", 0.0, self.now)
            self.go_on()
        assert (self.scheduler.in_flight, self.scheduler.wakes_at(self.now)) == (0, None)


class PatientModel(Model):
    unavailable = "wait"


@pytest.mark.parametrize("model", [Model, PatientModel])
def test_a_scheduler_keeps_its_promises_in_any_order_of_events(model: type[Model]) -> None:
    run_state_machine_as_test(
        model,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
