"""Services disturbed: killed, hung, overrun, redeployed and stopped under load, and two beside one another."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.haproxy_process import haproxy_of
from tests.support.kept_connections import Kept
from tests.support.serving_services import Load, RunningService, until
from tests.support.tick_project import bare_project, tick, tick_project

pytestmark = pytest.mark.faults

Note = Callable[[str, object], None]
RECOVERY_SECONDS = 20.0
"""Within this a replica that died is there again: the bound docs/serving.md states."""


def test_a_replica_killed_under_load_loses_no_acknowledged_answer(tmp_path: Path, note: Note) -> None:
    with RunningService(tick_project(tmp_path, replicas=2)) as service, Load(service) as load:
        time.sleep(2)
        before = service.replicas()
        assert len(before) == 2
        for _ in range(2):
            victim = service.replicas().pop()
            os.kill(victim, signal.SIGKILL)
            until(lambda gone=victim: gone not in service.replicas(), 5)
            took = until(lambda: len(service.replicas()) == 2, RECOVERY_SECONDS)
            note("seconds until there were two replicas again", took)
            time.sleep(3)
        settled = time.monotonic()
        time.sleep(2)
    assert not load.wrong
    assert not [told for at, told in load.bad if at > settled]
    note("answers, failures, longest hole", (len(load.good), load.bad, load.longest_hole()))
    assert len(load.bad) <= 2 * load.clients
    assert load.longest_hole() < 2.0


def test_the_only_replica_killed_comes_back(tmp_path: Path, note: Note) -> None:
    with RunningService(tick_project(tmp_path)) as service:
        (victim,) = service.replicas()
        os.kill(victim, signal.SIGKILL)
        took = until(lambda: _answers(service), RECOVERY_SECONDS)
        note("seconds until it answered again", took)


def test_an_event_that_kills_its_process_is_a_problem_of_its_own_request(tmp_path: Path) -> None:
    with RunningService(tick_project(tmp_path)) as service:
        lost = service.post(tick(1, action="die"))
        assert lost.status in (502, 503, 504)
        assert lost.headers["content-type"] == "application/problem+json"
        assert lost.json()["status"] == lost.status
        until(lambda: _answers(service), RECOVERY_SECONDS)


def test_a_replica_that_hangs_is_replaced(tmp_path: Path) -> None:
    config = tick_project(tmp_path, deadline_seconds=0.5, hung_after_seconds=2)
    with RunningService(config) as service:
        (hanging,) = service.replicas()
        late = service.post(tick(1, action="hang"))
        assert (late.status, late.json()["type"]) == (504, "urn:trivium:problem:deadline-passed")
        until(lambda: hanging not in service.replicas(), 10)
        until(lambda: _answers(service), RECOVERY_SECONDS)


def test_a_replica_whose_loop_hangs_is_replaced(tmp_path: Path) -> None:
    with RunningService(bare_project(tmp_path, deadline_seconds=0.5, hung_after_seconds=2)) as service:
        lost = service.post(tick(1, action="hang"))
        assert lost.status in (502, 503, 504)
        assert lost.headers["content-type"] == "application/problem+json"
        until(lambda: _answers(service), RECOVERY_SECONDS)


def test_a_redeploy_under_load_has_no_failure_and_no_hole(tmp_path: Path, note: Note) -> None:
    with RunningService(tick_project(tmp_path)) as service, Load(service) as load:
        time.sleep(2)
        tick_project(tmp_path, max_events_per_request=77)
        service.redeploy()
        time.sleep(4)
    assert not load.bad
    assert not load.wrong
    assert len(load.plans()) == 2
    note("answers, longest hole", (len(load.good), load.longest_hole()))
    assert load.longest_hole() < 0.5


def test_a_redeploy_answers_every_request_on_kept_connections(tmp_path: Path, note: Note) -> None:
    with RunningService(tick_project(tmp_path, deadline_seconds=20)) as service:
        over = threading.Event()
        body = json.dumps(tick(1)).encode()
        clients = [Kept(service.url.port or 0, pause, over, body) for pause in [0.01] * 4 + [0.3] * 8 + [1.5, 3.0] * 4]
        for each in clients:
            each.start()
        time.sleep(2)
        tick_project(tmp_path, deadline_seconds=20, max_events_per_request=77)
        service.redeploy()
        time.sleep(5)
        over.set()
        for each in clients:
            each.join()
    statuses = Counter(status for each in clients for status in each.statuses)
    note("answers by status, requests without one", (statuses, sum(each.lost for each in clients)))
    assert sum(each.lost for each in clients) == 0
    assert set(statuses) == {200}


def test_a_proxy_that_is_killed_is_there_again_in_seconds(tmp_path: Path, note: Note) -> None:
    with RunningService(tick_project(tmp_path)) as service:
        os.kill(int(haproxy_of(service.url.port or 0).name), signal.SIGKILL)
        began, seen = time.monotonic(), set()
        while (status := _status(service)) != 200:
            seen.add(status)
            assert time.monotonic() - began < RECOVERY_SECONDS
            time.sleep(0.05)
        note("seconds until it answered again", time.monotonic() - began)
    assert seen <= {None, 503}


def test_a_run_that_is_killed_leaves_no_proxy_on_its_port(tmp_path: Path, note: Note) -> None:
    config = tick_project(tmp_path)
    with RunningService(config) as service:
        assert service.post(tick(1)).status == 200
        port = service.url.port or 0
        service.kill()
        with RunningService(config, "--port", str(port)) as next_one:
            assert next_one.post(tick(1)).status == 200
            note("what the next start says", next_one.log())


def test_overload_is_answered_in_time_or_refused_and_the_replica_stays(tmp_path: Path, note: Note) -> None:
    heavy = [tick(number) for number in range(400)]
    with RunningService(bare_project(tmp_path, deadline_seconds=0.5)) as service:
        replica = service.replicas()
        for _ in range(30):
            assert service.post(heavy).status == 200
        over, found, health = threading.Event(), [], []

        def ask() -> None:
            while not over.is_set():
                began = time.monotonic()
                answer = service.post(heavy)
                found.append((answer.status, time.monotonic() - began))

        threads = [threading.Thread(target=ask) for _ in range(48)]
        for each in threads:
            each.start()
        for _ in range(20):
            time.sleep(0.4)
            health.append(service.get("/healthz").status)
        over.set()
        for each in threads:
            each.join()
        assert service.replicas() == replica
    good = sorted(seconds for status, seconds in found if status == 200)
    note("answers by status, p99 of good ones", (Counter(status for status, _ in found), good[len(good) * 99 // 100]))
    assert {status for status, _ in found} <= {200, 429, 504}
    assert set(health) == {200}
    assert good[len(good) * 99 // 100] < 1.5  # the deadline, and what this process and a busy machine add


def test_a_stop_answers_what_is_under_way(tmp_path: Path) -> None:
    config = tick_project(tmp_path, deadline_seconds=20, hung_after_seconds=30)
    with RunningService(config) as service, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.post, [tick(n, action="slow") for n in range(3)]) for _ in range(4)]
        time.sleep(0.7)
        service.ask_to_stop()
        assert [each.result().status for each in asked] == [200] * 4
        assert service.ended() == 0


def test_more_than_it_holds_is_refused_and_the_rest_is_answered(tmp_path: Path) -> None:
    config = tick_project(tmp_path, deadline_seconds=20, max_ongoing_requests=4, retry_after_seconds=3)
    with RunningService(config) as service, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: service.post(tick(n, action="slow")), range(16)))
        statuses = [answer.status for answer in answers]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 4
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.headers["retry-after"] == "3"
        assert service.post(tick(1)).status == 200


def test_two_services_on_one_machine(tmp_path: Path) -> None:
    first = tick_project(tmp_path / "one")
    other = tick_project(tmp_path / "other", max_events_per_request=7)
    with RunningService(first) as one, RunningService(other) as two, Load(one) as load, Load(two) as beside:
        time.sleep(3)
        os.kill(two.replicas().pop(), signal.SIGKILL)
        time.sleep(12)
        assert one.shown["plan"] != two.shown["plan"]
    assert not load.bad
    assert not load.wrong + beside.wrong
    assert load.plans() == [one.shown["plan"]]
    assert beside.plans() == [two.shown["plan"]]


def test_serves_own_proxy(tmp_path: Path) -> None:
    config = tick_project(tmp_path, retry_after_seconds=3, api_keys=["${KEY}"])
    with RunningService(config, "--proxy", "plain", KEY="a-key-of-sixteen") as service:
        assert service.post(tick(1)).status == 401
        answer = service.post(tick(1), authorization="Bearer a-key-of-sixteen")
        assert answer.json()["events"][0]["outcome"] == "emitted"
        assert service.post(b"x" * (2 << 20), authorization="Bearer a-key-of-sixteen").status == 413
        outside = service.at("/nowhere", x_request_id="caf\xe9")
        assert (outside.status, outside.headers["content-type"]) == (404, "application/problem+json")


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    service = RunningService(tick_project(tmp_path, api_keys=["${KEY}"]), KEY="short")
    with pytest.raises(AssertionError, match="expected 16 or more"), service:
        pass


def _answers(service: RunningService) -> bool:
    return _status(service) == 200


def _status(service: RunningService) -> int | None:
    try:
        return service.post(tick(1), timeout=2).status
    except OSError:
        return None


@pytest.fixture
def note(record_property: Note) -> Note:
    """Keeps a measured figure in the test's report."""
    return record_property


@pytest.fixture(autouse=True)
def no_threads_left() -> None:
    """A load that was not ended would disturb the next test."""
    assert threading.active_count() < 50
