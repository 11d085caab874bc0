"""Overload: what is let in is answered in time, the rest is refused at once, and the loop stays open for others."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.support.asgi_client import Client, Response, bought, client, orders
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.requests.worker import EventAnswer
from trivium.engine.steps import Steps
from trivium.runtimes.serving.http.admission import Admission, AdmittedRequest
from trivium.runtimes.serving.http.answering import Answering, LoopAnswering
from trivium.runtimes.serving.http.problems import Refused
from trivium.testing import ManualClock

WORK_SECONDS = 0.02
DEADLINE_SECONDS = 0.3


class Slow:
    """A worker that takes 20 ms a request. `begun` is how often it began."""

    def __init__(self) -> None:
        self.begun = 0

    def steps(self, body: bytes, event_type: str | None, limit: Deadline, most: int) -> Steps[list[EventAnswer]]:
        self.begun += 1
        time.sleep(WORK_SECONDS)
        yield from ()
        return [EventAnswer("dropped", "bought")]


def slow_client(worker: Slow, **serving: Any) -> tuple[Client, Answering]:
    pipeline = orders(**serving)
    section, clock = pipeline.serving_section(), SystemClock()
    made: Any = worker
    admission = Admission(section, clock)
    answering = LoopAnswering(made, {}, admission, 500, clock)
    return client(pipeline, answering), answering


async def timed(asked: Client) -> tuple[float, Response]:
    began = time.monotonic()
    body = json.dumps(bought()).encode()
    response = await asked.asked("POST", "/v1/events", [body], content_type="application/json")
    return time.monotonic() - began, response


def test_four_times_the_load_is_answered_in_time_or_refused_at_once() -> None:
    worker = Slow()
    asked, answering = slow_client(worker, deadline_seconds=DEADLINE_SECONDS)
    health: list[float] = []

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0)
            assert (await asked.asked("GET", "/healthz")).status == 200
            health.append(time.monotonic() - began)
            await asyncio.sleep(0.01)

    async def crowd() -> list[tuple[float, Response]]:
        looking = asyncio.create_task(look())
        waves: list[asyncio.Task[tuple[float, Response]]] = []
        for _ in range(20):
            waves += [asyncio.create_task(timed(asked)) for _ in range(8)]
            await asyncio.sleep(2 * WORK_SECONDS)
        found = list(await asyncio.gather(*waves))
        looking.cancel()
        return found

    found = asyncio.run(crowd())
    answering.close()
    good = [seconds for seconds, response in found if response.status == 200]
    refused = [seconds for seconds, response in found if response.status == 429]
    late = [seconds for seconds, response in found if response.status == 504]
    assert len(good) + len(refused) + len(late) == len(found)
    assert len(good) >= 5
    assert len(refused) > len(late)  # some are late where the machine is busy with something else
    assert max(good) <= DEADLINE_SECONDS + 0.3  # what a busy machine takes to say so
    assert sorted(refused)[len(refused) // 2] < DEADLINE_SECONDS / 2
    assert worker.begun <= len(good) + len(late)
    assert len(health) >= 5


def test_places_are_counted_whatever_the_pace() -> None:
    clock = ManualClock()
    admission = Admission(orders(max_ongoing_requests=2).serving_section(), clock)
    held = [admission.enter(10, Deadline.after(clock, 100)) for _ in range(2)]
    with pytest.raises(Refused, match="overloaded"):
        admission.enter(10, Deadline.after(clock, 100))
    admission.leave(held[0])
    admission.enter(10, Deadline.after(clock, 100))


def test_long_bodies_weigh_more_and_slow_ones_among_many_mean_nothing() -> None:
    clock = ManualClock()
    admission = Admission(orders().serving_section(), clock)

    def answered(size: int, seconds: float) -> None:
        place = admission.enter(size, Deadline.after(clock, 1.0))
        clock.sleep(seconds)
        admission.learn(place, seconds, 0.0)
        admission.leave(place)

    def fits(*sizes: int) -> bool:
        held: list[AdmittedRequest] = []
        try:
            for size in sizes:
                held.append(admission.enter(size, Deadline.after(clock, 1.0)))
        except Refused:
            return False
        finally:
            for place in held:
                admission.leave(place)
        return True

    answered(500, 3.0)  # the first request finds nothing loaded
    assert fits(*[500] * 50)
    for _ in range(30):
        answered(500, 0.01)
    answered(500, 3.0)
    assert fits(*[500] * 50)
    assert not fits(500, 100_000)
    for _ in range(10):
        answered(500, 0.5)
    assert not fits(*[500] * 5)
    assert fits(500)


def test_a_line_is_answered_in_its_order_and_who_left_it_costs_nothing() -> None:
    worker = Slow()
    asked, _ = slow_client(worker, deadline_seconds=5)

    async def crowd() -> list[str]:
        order: list[str] = []

        async def one(name: str) -> None:
            await timed(asked)
            order.append(name)

        tasks = {name: asyncio.create_task(one(name)) for name in "abcdef"}
        await asyncio.sleep(0)
        tasks["c"].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return order

    assert asyncio.run(crowd()) == [*"abdef"]
    assert worker.begun == 5


def test_an_answer_that_comes_too_late_is_none() -> None:
    asked, _ = slow_client(Slow(), deadline_seconds=WORK_SECONDS / 2)
    _, response = asyncio.run(timed(asked))
    assert (response.status, response.json()["type"]) == (504, "urn:trivium:problem:deadline-passed")
