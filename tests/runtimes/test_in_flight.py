"""Batches on their way at the same time: which go on beside which, and the order they come back in."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.flow_events import emitted
from tests.support.held_lookup import HeldLookup, PlainLines, until, visits
from trivium import Hint
from trivium.config.worker_spec import spec_of
from trivium.core.clock import SystemClock
from trivium.engine.batch import RawBatch
from trivium.engine.lookups.clients import clients_of
from trivium.engine.worker import Worker
from trivium.runtimes.in_flight import InFlight


class Scene:
    """A worker of visits, which need facts, and plain events, which need none. `watched` counts watched stretches."""

    def __init__(self, hints: Hint) -> None:
        self.users, self.pages = HeldLookup(), HeldLookup()
        self.pages.open.set()
        spec, clock = spec_of([visits(hints), PlainLines]), SystemClock()
        self.clients = clients_of(spec.lookups, {"users": self.users, "pages": self.pages}, clock)
        self.watched = 0
        self.in_flight: InFlight[int] = InFlight(Worker(spec, clock), self.clients, clock, self._watch)

    @contextlib.contextmanager
    def _watch(self) -> Iterator[None]:
        self.watched += 1
        yield

    def begin(self, event_type: str, n: int) -> None:
        record = {"event_type": event_type, "n": n, "user": f"user{n}", "page": "p"}
        batch = RawBatch([json.dumps(record).encode()], "t/0", np.array([n]))
        self.in_flight.begin(n, batch, 100)

    def finished(self) -> list[int]:
        """The numbers of the batches that came back, first to last."""
        found = []
        while done := self.in_flight.finished():
            found.append(done[0])
        return found


@pytest.mark.parametrize("hints", [Hint.ASYNC, Hint.SLOW, Hint.ASYNC | Hint.SLOW | Hint.CACHEABLE])
def test_a_batch_waits_aside_while_the_next_goes_on_and_results_keep_their_order(hints: Hint) -> None:
    scene = Scene(hints)
    scene.begin("visit", 1)
    scene.begin("plain", 2)
    until(lambda: scene.users.calls)
    assert (scene.finished(), len(scene.in_flight)) == ([], 2)
    scene.users.open.set()
    until(lambda: scene.clients["users"].metrics().calls and scene.users.gauge.now == 0)
    found: list[int] = []
    until(lambda: found.extend(scene.finished()) or len(found) == 2)
    assert found == [1, 2]


def test_without_hints_a_batch_is_waited_for_where_it_is() -> None:
    scene = Scene(Hint.NONE)
    threading.Timer(0.1, scene.users.open.set).start()
    scene.begin("visit", 1)
    assert scene.users.gauge.now == 0
    assert scene.finished() == [1]


@pytest.mark.parametrize(("hints", "most"), [(Hint.ASYNC, 2), (Hint.SLOW, 16), (Hint.SLOW | Hint.ASYNC, 16)])
def test_batches_in_flight_are_bounded(hints: Hint, most: int) -> None:
    scene = Scene(hints)
    while not scene.in_flight.full:
        scene.begin("visit", len(scene.in_flight))
    assert len(scene.in_flight) == most
    scene.users.open.set()
    found: list[int] = []
    until(lambda: found.extend(scene.finished()) or len(found) == most)
    assert found == list(range(most))


def test_slow_calls_overlap_where_they_may() -> None:
    scene = Scene(Hint.SLOW | Hint.ASYNC)
    for n in range(6):
        scene.begin("visit", n)
    until(lambda: scene.users.gauge.now == 6)
    scene.users.open.set()
    one = Scene(Hint.SLOW)
    for n in range(6):
        one.begin("visit", n)
    until(lambda: one.users.calls)
    assert one.users.gauge.most == 1
    one.users.open.set()


def test_nothing_that_waits_is_watched() -> None:
    scene = Scene(Hint.SLOW)
    scene.begin("visit", 1)
    until(lambda: scene.users.calls)
    before = scene.watched
    for _ in range(50):
        assert scene.finished() == []
    assert scene.watched == before
    scene.users.open.set()


def test_dropped_batches_do_not_come_back() -> None:
    scene = Scene(Hint.SLOW)
    scene.begin("visit", 1)
    scene.in_flight.drop()
    scene.users.open.set()
    scene.begin("plain", 2)
    assert scene.finished() == [2]


def test_a_batch_of_no_records_comes_back_empty() -> None:
    scene = Scene(Hint.NONE)
    scene.in_flight.begin(1, RawBatch([], "t/0", np.arange(0)), 0)
    done = scene.in_flight.finished()
    assert done is not None
    assert (done[1].read, emitted(done[1])) == (0, [])
