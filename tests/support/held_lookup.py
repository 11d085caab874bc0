"""A lookup whose calls wait until a test lets them go, and an executor that uses two of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tests.support.flow_events import Line, line
from trivium import Answer, Enrichment, Event, Executor, Hint, Row
from trivium.core.clock import Deadline


class Fact(Row):
    n: int


class Visit(Event, tag="visit"):
    n: int
    user: str
    page: str


class Plain(Event, tag="plain"):
    n: int


class PlainLines(Executor[Plain, Line]):
    def process(self, event: Plain) -> Line:
        return line(event)


def visits(hints: Hint) -> type[Executor[Any, Any]]:
    """Two enrichments on one lookup and key, and one on another lookup, all with these hints."""

    class Visits(Executor[Visit, Line]):
        one = Enrichment(Fact, key="user", lookup="users", missing="null", hints=hints)
        two = Enrichment(Fact, key="user", lookup="users", missing="null", hints=hints)
        page = Enrichment(Fact, key="page", lookup="pages", missing="null", hints=hints)

        def process(self, event: Visit, one: Fact | None, two: Fact | None, page: Fact | None) -> Line:
            return line(event, n=sum(fact.n for fact in (one, two, page) if fact is not None))

    return Visits


@dataclass
class Gauge:
    """Calls that are under way, of several lookups together."""

    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self.lock:
            self.now -= 1


@dataclass
class HeldLookup:
    """Answers a key of text with its length. While `open` is not set its calls wait, to their deadline at most."""

    gauge: Gauge = field(default_factory=Gauge)
    open: threading.Event = field(default_factory=threading.Event)
    calls: list[list[Any]] = field(default_factory=list)
    seconds: float = 0.0

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        self.calls.append(keys.to_pylist())
        self.gauge.enter()
        try:
            time.sleep(self.seconds)
            self.open.wait(10)
            return Answer(
                pa.RecordBatch.from_pydict({"n": [len(key) for key in keys.to_pylist()]}),
                pa.array(range(len(keys)), pa.int32()),
            )
        finally:
            self.gauge.leave()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to this"
        time.sleep(0.002)
