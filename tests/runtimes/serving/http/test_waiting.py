"""Requests that wait for facts: side by side, each under its own deadline, and none in another's way."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from dataclasses import replace
from typing import Any

from tests.support.asgi_client import Client, Response, client
from tests.support.held_lookup import Gauge, HeldLookup, PlainLines, until, visits
from tests.support.pipelines import pipeline_of
from trivium import Hint, LookupUnavailable
from trivium.config.model.serving import Serving
from trivium.core.clock import SystemClock
from trivium.core.errors import LookupAnswerError
from trivium.engine.lookups.clients import clients_of
from trivium.engine.requests.worker import RequestWorker
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import LoopAnswering


class Service:
    """Visits, which need facts of two lookups, and plain events, which need none."""

    def __init__(self, hints: Hint, unavailable: Any = "missing", **serving: Any) -> None:
        self.gauge = Gauge()
        self.users, self.pages = HeldLookup(self.gauge), HeldLookup(self.gauge)
        made = pipeline_of([visits(hints), PlainLines])
        config = made.config.model_copy(update={"serving": Serving(route="/visits", **serving)})
        pipeline = replace(made, config=config)
        spec, clock = pipeline.worker_spec, SystemClock()
        lookups = {name: replace(each, unavailable=unavailable) for name, each in spec.lookups.items()}
        spec = replace(spec, lookups=lookups)
        self.clients = clients_of(lookups, {"users": self.users, "pages": self.pages}, clock)
        admission = Admission(pipeline.serving_section(), clock)
        answering = LoopAnswering(RequestWorker(spec, clock), self.clients, admission, 100, clock)
        self.client: Client = client(pipeline, answering)

    async def visit(self, user: str = "ann", page: str = "home") -> Response:
        return await self.post({"event_type": "visit", "n": 1, "user": user, "page": page})

    async def post(self, event: dict[str, Any]) -> Response:
        body = [json.dumps(event).encode()]
        return await self.client.asked("POST", "/v1/events", body, content_type="application/json")

    def open(self) -> None:
        self.users.open.set()
        self.pages.open.set()


def number_of(response: Response) -> int:
    (event,) = response.json()["events"]
    return int(event["rows"][0]["n"])


async def comes(condition: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(None, until, condition)


def test_all_facts_of_a_request_are_fetched_side_by_side() -> None:
    service = Service(Hint.ASYNC)

    async def story() -> Response:
        task = asyncio.create_task(service.visit())
        await comes(lambda: service.gauge.now == 2)
        service.open()
        return await task

    assert number_of(asyncio.run(story())) == 3 + 3 + 4
    assert (service.users.calls, service.pages.calls) == ([["ann"]], [["home"]])


def test_a_slow_fact_holds_up_no_other_request_and_takes_no_thread_of_it() -> None:
    service = Service(Hint.ASYNC, deadline_seconds=20)

    async def story() -> tuple[int, list[Response]]:
        slow = [asyncio.create_task(service.visit(f"user{n:02}")) for n in range(40)]
        await comes(lambda: service.gauge.now == 16)  # two lookups of eight calls each
        threads = threading.active_count()
        plain = await service.post({"event_type": "plain", "n": 7})
        assert number_of(plain) == 7
        assert not any(task.done() for task in slow)
        service.open()
        return threads, list(await asyncio.gather(*slow))

    before = threading.active_count()
    threads, answers = asyncio.run(story())
    assert [number_of(each) for each in answers] == [6 + 6 + 4] * 40
    assert threads - before <= 8 + 8 + 2 + 1  # the calls, a timer a lookup, the one that looks on


def test_requests_for_one_key_share_a_call() -> None:
    service = Service(Hint.ASYNC | Hint.CACHEABLE)

    async def story() -> list[Response]:
        tasks = [asyncio.create_task(service.visit()) for _ in range(20)]
        await comes(lambda: service.gauge.now == 2)
        service.open()
        return list(await asyncio.gather(*tasks))

    assert {number_of(each) for each in asyncio.run(story())} == {3 + 3 + 4}
    assert (service.users.calls, service.pages.calls) == ([["ann"]], [["home"]])


def test_a_request_is_answered_by_its_deadline_whatever_its_facts_do() -> None:
    service = Service(Hint.ASYNC, deadline_seconds=0.3)

    async def story() -> tuple[float, Response, Response]:
        began = time.monotonic()
        late = await service.visit()
        spent = time.monotonic() - began
        return spent, late, await service.post({"event_type": "plain", "n": 7})

    spent, late, after = asyncio.run(story())
    service.open()
    assert late.status == 504
    assert spent < 3.0
    assert number_of(after) == 7


def test_a_lookup_that_stays_away_is_503_unless_its_facts_may_be_missing() -> None:
    for unavailable, expected in (("fail", 503), ("wait", 503), ("missing", 200)):
        service = Service(Hint.ASYNC, unavailable, deadline_seconds=1.0)

        def away(keys: Any, deadline: Any) -> Any:
            raise LookupUnavailable("no route")

        service.users.fetch = away  # type: ignore[method-assign]
        service.open()
        response = asyncio.run(service.visit())
        assert response.status == expected
        if expected == 200:
            (event,) = response.json()["events"]
            assert event["enrichments"] == {"one": "unavailable", "two": "unavailable"}
            assert event["rows"][0]["n"] == 4


def test_a_broken_lookup_is_told_once_and_not_by_the_loop() -> None:
    service = Service(Hint.ASYNC)

    def broken(keys: Any, deadline: Any) -> Any:
        service.users.open.wait(10)
        raise LookupAnswerError("expected rows, got none")

    service.users.fetch = broken  # type: ignore[method-assign]

    async def story() -> Response:
        task = asyncio.create_task(service.visit())
        await comes(lambda: service.gauge.now == 1)
        service.open()
        return await task

    assert asyncio.run(story()).status == 500
    untold = [each for each in gc.get_objects() if isinstance(each, asyncio.Future) and each._log_traceback]  # noqa: SLF001 - as asyncio does
    assert untold == []
