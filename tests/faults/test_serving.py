"""Services disturbed: killed, hung, overrun, redeployed and stopped under load, and two beside one another."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.runtimes.serving.services import Load, RunningService, until
from tests.runtimes.serving.tick_project import bare_project, tick, tick_project

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


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    service = RunningService(tick_project(tmp_path, api_keys=["${KEY}"]), KEY="short")
    with pytest.raises(AssertionError, match="expected 16 or more"), service:
        pass


def _answers(service: RunningService) -> bool:
    try:
        return service.post(tick(1), timeout=2).status == 200
    except OSError:
        return False


@pytest.fixture
def note(record_property: Note) -> Note:
    """Keeps a measured figure in the test's report."""
    return record_property


@pytest.fixture(autouse=True)
def no_threads_left() -> None:
    """A load that was not ended would disturb the next test."""
    assert threading.active_count() < 50
