"""Requests that need three facts of 5 ms each, through the event loop's answering."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from statistics import median
from typing import Final

import numpy as np
import pyarrow as pa

from benchmarks.report import Goal
from trivium import Answer, Enrichment, Event, Executor, Hint, NormalizedEvent, Row
from trivium.config.model.serving import Serving
from trivium.config.worker_spec import spec_of
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.lookups.clients import clients_of
from trivium.engine.requests.worker import RequestWorker
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import EventRequest, LoopAnswering

_CALL_SECONDS: Final = 0.005
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Fact(Row):
    """A fact."""

    n: int


class Ask(Event, tag="ask"):
    """An event that needs three facts."""

    id: str
    key: str


class Line(NormalizedEvent):
    """Their sum."""

    n: int


class Sums(Executor[Ask, Line]):
    """Adds three facts up."""

    one = Enrichment(Fact, key="key", hints=Hint.ASYNC)
    two = Enrichment(Fact, key="key", hints=Hint.ASYNC)
    three = Enrichment(Fact, key="key", hints=Hint.ASYNC)

    def process(self, event: Ask, one: Fact, two: Fact, three: Fact) -> Line:
        """Return the sum."""
        return Line(event_id=event.id, event_time=_MOMENT, n=one.n + two.n + three.n)


class Slow:
    """A lookup that takes 5 ms a call and knows every key."""

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer after 5 ms."""
        time.sleep(_CALL_SECONDS)
        count = len(keys)
        rows = pa.RecordBatch.from_arrays([pa.array(np.arange(count, dtype=np.int64))], names=["n"])
        return Answer(rows, pa.array(np.arange(count, dtype=np.int32)))


def serving_goals(requests: int) -> list[Goal]:
    """Return the median milliseconds of a request with three facts; the limit is one fact's time and 2 ms."""
    spec, clock = spec_of([Sums]), SystemClock()
    clients = clients_of(spec.lookups, {name: Slow() for name in spec.lookups}, clock)
    admission = Admission(Serving(route="/asks"), clock)
    answering = LoopAnswering(RequestWorker(spec, clock), clients, admission, 1, clock)

    async def story() -> list[float]:
        spent = []
        for number in range(requests):
            body = json.dumps({"event_type": "ask", "id": str(number), "key": f"k{number}"}).encode()
            began = time.perf_counter()
            (answer,) = await answering.answer(EventRequest(body, None, Deadline.after(clock, 5), 5))
            assert answer.outcome == "emitted"
            spent.append(time.perf_counter() - began)
        return spent

    found = median(asyncio.run(story())) * 1e3
    answering.close()
    print(f"serving, three facts of 5 ms: p50 {found:.2f} ms")
    return [Goal("serving, three facts of 5 ms: p50 in ms", found, _CALL_SECONDS * 1e3 + 2)]
