"""Runs whose lookup is away for longer than their deadlines, under `unavailable: wait`, on real processes."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.rates_project import BATCH, STREAMING, Rates, events, own_modules
from tests.support.ray_metrics import wait_for
from trivium.config.compile import compile_file
from trivium.devtools.broker.broker import DevBroker
from trivium.runtimes.batch.run import run_batch
from trivium.runtimes.stopping import StopRequest
from trivium.runtimes.streaming import pool, run
from trivium.runtimes.streaming.run import StreamArguments, run_streaming
from trivium.testing.kafka import MakeTopic

__all__ = ["own_modules"]
pytestmark = pytest.mark.usefixtures("own_modules")

WAIT = "unavailable: wait"
DEADLINE = 3.0


@contextmanager
def away(project: Rates, enough: Callable[[], bool], seconds: float = 120.0) -> Iterator[None]:
    """The lookup is away until `enough` says so."""

    def come_back() -> None:
        _until(enough, seconds)
        project.come_back()

    project.go_away()
    waiter = threading.Thread(target=come_back)
    waiter.start()
    try:
        yield
    finally:
        waiter.join()


def longer_than(project: Rates, seconds: float) -> Callable[[], bool]:
    """Whether the lookup has been asked in vain for so long."""
    path = project.root / "facts" / "calls"
    since: list[float] = []

    def passed() -> bool:
        if path.exists() and not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] > seconds

    return passed


def test_batch_pauses_beyond_the_deadline_of_its_unit(tmp_path: Path, ray_cluster: str) -> None:
    project = Rates(tmp_path, lookup=WAIT, sections=f"{BATCH}  unit_deadline_seconds: {DEADLINE}")
    project.write_day(0, {"order": ["EUR", "CHF"], "refund": ["EUR"]})
    with away(project, longer_than(project, 4 * DEADLINE)):
        report = run_batch(compile_file(project.config))
    assert project.rates() == {"order-0-0": 100, "order-0-1": 95, "refund-0-0": 100}
    assert (report.total.read, report.total.rejected, report.units_reused) == (3, 0, 0)
    assert len(project.calls()) > 2
    calls = wait_for(name="trivium_lookup_calls_total", lookup="rates", runtime="batch")
    assert calls[0]["value"] >= 2


@pytest.fixture
def stream(
    tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> Rates:
    """A project with ten events in its topic, whose driver has no more patience than the deadlines say."""
    monkeypatch.setattr(pool, "_GRACE_SECONDS", 0.0)
    topic = kafka_topic(partitions=1)
    project = Rates(tmp_path, lookup=WAIT, sections=STREAMING.format(servers=kafka_broker.servers, topic=topic))
    from confluent_kafka import Producer  # noqa: PLC0415 - not for tests without a broker

    producer = Producer({"bootstrap.servers": kafka_broker.servers})
    for value in events("order", 0, ["EUR", "CHF"] * 5):
        producer.produce(topic, value=value)
    producer.flush(30)
    return project


def test_a_stream_pauses_beyond_its_deadlines(stream: Rates, caplog: pytest.LogCaptureFixture) -> None:
    patience = 4 * 0.5 + 6
    with caplog.at_level(logging.WARNING, "trivium"), away(stream, longer_than(stream, 2 * patience)):
        report = run_streaming(compile_file(stream.config, runtime="streaming"), StreamArguments(until_caught_up=True))
    assert (report.total.emitted_rows, report.dead_letters, report.workers_lost) == (10, 0, 0)
    assert set(stream.rates().values()) == {100, 95}
    said = [record.getMessage() for record in caplog.records]
    pauses = [line for line in said if line.startswith("worker 0 waits: lookup rates is away (the rates are away)")]
    assert 1 <= len(pauses) <= len(stream.calls())
    assert len(set(pauses)) == len(pauses)
    assert all(re.search(r"next try in \d+\.\d s$", line) for line in pauses)
    assert said[-1] == "worker 0 goes on"
    failed = wait_for(name="trivium_lookup_failures_total", lookup="rates", runtime="streaming")
    assert failed[0]["value"] >= 2


def test_a_stream_that_waits_stops_when_it_is_asked_to(stream: Rates) -> None:
    stop = StopRequest()
    threading.Thread(target=lambda: (_until(stream.calls), stop.request())).start()
    stream.go_away()
    with patch.object(run, "stop_on_signals", lambda: nullcontext(stop)):
        start = time.monotonic()
        stopped = run_streaming(compile_file(stream.config, runtime="streaming"))
    assert (stopped.total.read, stopped.workers_lost) == (0, 0)
    assert time.monotonic() - start < 60
    stream.come_back()
    report = run_streaming(compile_file(stream.config, runtime="streaming"), StreamArguments(until_caught_up=True))
    assert report.total.emitted_rows == 10


def _until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not happened():
        time.sleep(0.1)
