"""Hosts under many distinct keys while every back-end hangs: memory, calls, threads and files stay inside their bounds.

Keys come in small asks, fewer than the ten million that `tests/engine/lookups/test_bounds.py` has for the client alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.fact_backends import ROWS
from tests.support.fact_orders import COLUMNS, Fact, Line, Order, bound, order
from tests.support.fact_servers import REMOTE, fact_servers
from tests.support.processes import until
from tests.support.runtime_hosts import Host, host_of
from trivium import Enrichment, Event, Executor, Hint, RetryPolicy
from trivium.config.worker_spec import spec_of
from trivium.connectors import open_lookup
from trivium.core.clock import SystemClock

OF_AN_ORDER, A_ROUND, CALLS, MIB = 20, 250, 2, 1 << 20


def asked(lookup: str) -> Any:
    """An enrichment by a list of keys, whose calls may run beside all others."""
    return Enrichment(Fact, key="items", lookup=lookup, missing="null", hints=Hint.ASYNC | Hint.SLOW | Hint.CACHEABLE)


class Hungry(Executor[Order, Line]):
    redis = asked("redis")
    sqlite = asked("sqlite")
    postgresql = asked("postgresql")
    http = asked("http")
    python = asked("python")

    def process(self, event: Order, redis: Any, sqlite: Any, postgresql: Any, http: Any, python: Any) -> Line:
        facts = (*(redis or ()), *(sqlite or ()), *(postgresql or ()), *(http or ()), *(python or ()))
        return Line(event_id=event.id, event_time=event.at, text=str(sum(fact is not None for fact in facts)))


class Visit(Event, tag="visit"):
    id: str
    at: datetime


class Visits(Executor[Visit, Line]):
    def process(self, event: Visit) -> Line:
        return Line(event_id=event.id, event_time=event.at, text="visited")


def threads_of_lookups() -> int:
    """How many threads call lookups in this process; other tests may have left some."""
    return sum(each.name.startswith("trivium-lookup") for each in threading.enumerate())


@dataclass
class Most:
    """The most of everything that was there at one time; memory is what was added since a third of the way."""

    ports: set[int]
    clients: Any
    connections: int = 0
    threads: int = 0
    threads_before: int = field(default_factory=threads_of_lookups)
    calls: int = 0
    waiting: int = 0
    memory: list[int] = field(default_factory=list)

    def look(self) -> None:
        process = psutil.Process()
        ends = [each.raddr.port for each in process.net_connections("tcp") if each.raddr]
        self.connections = max(self.connections, sum(port in self.ports for port in ends))
        self.threads = max(self.threads, threads_of_lookups() - self.threads_before)
        found = [client.metrics() for client in self.clients.values()]
        self.calls = max(self.calls, *(each.in_flight for each in found))
        self.waiting = max(self.waiting, *(each.waiting for each in found))
        self.memory.append(process.memory_info().rss)

    @property
    def growth(self) -> int:
        """Bytes that came after the first third."""
        return max(self.memory) - self.memory[len(self.memory) // 3]


@contextmanager
def hanging(runtime: str, folder: Path) -> Iterator[tuple[Host, Most]]:
    """Yield the host of a pipeline all of whose back-ends hang from then on, and what is looked at meanwhile."""
    spec, lookups = spec_of([Hungry, Visits]), {}
    retry = RetryPolicy(attempts=2, first_delay_seconds=0.05, deadline_seconds=0.3)
    breaker = {"window_calls": 4, "open_seconds": 0.5}
    settings = {"unavailable": "missing", "timeout_seconds": 0.2, "concurrency": CALLS, "max_keys": 50}
    with fact_servers(folder) as servers, ExitStack() as stack:
        for name in REMOTE:
            servers(name).put("plain", ROWS["plain"])
            known, section = spec.lookups[name], servers(name).section("plain")
            lookups[name] = bound(known, section, None, retry, breaker=breaker, **settings)
        opened = {name: open_lookup(each, SystemClock()) for name, each in lookups.items()}
        host = stack.enter_context(closing(host_of(runtime, replace(spec, lookups=lookups), opened, COLUMNS)))
        until(lambda: host.run([order(-1, items=["a", "b"])]) == [("10", None)], "all back-ends answer", 20)
        for name in REMOTE:
            stack.enter_context(servers(name).slow())
        most = Most({servers(name).port for name in REMOTE} - {0}, host.clients)
        over = threading.Event()
        looking = threading.Thread(target=lambda: [most.look() for _ in iter(lambda: over.wait(0.1), True)])
        looking.start()
        try:
            yield host, most
        finally:
            over.set()
            looking.join()


def of_round(number: int) -> list[dict[str, Any]]:
    """Orders, no key of which was there before, and visits between them."""
    events = []
    for n in range(number * A_ROUND, (number + 1) * A_ROUND):
        events.append(order(n, items=[f"key-{n}-{at}" for at in range(OF_AN_ORDER)]))
        if n % 10 == 9:
            events.append({**order(n), "event_type": "visit"})
    return events


@pytest.mark.parametrize(("runtime", "keys"), [("streaming", 100_000), ("serving", 20_000)])
def test_every_back_end_hangs_under_many_keys(runtime: str, keys: int, tmp_path: Path) -> None:
    away = ("0", dict.fromkeys(REMOTE, "unavailable"))
    with hanging(runtime, tmp_path) as (host, most):
        for number in range(keys // OF_AN_ORDER // A_ROUND):
            events = of_round(number)
            size = {"at_once": 55} if runtime == "streaming" else {}
            expected = [away if each["event_type"] == "order" else ("visited", None) for each in events]
            assert host.run(events, **size) == expected
    assert most.calls <= CALLS
    assert most.threads <= len(REMOTE) * (CALLS + 1)
    assert most.connections <= len(most.ports) * CALLS
    assert most.growth < 64 * MIB
