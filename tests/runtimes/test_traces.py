"""Every row, dead letter, HTTP answer and metric names the logic and the plan that `trivium plan` shows."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from tests.support.readings import Readings, reading
from tests.support.serving_services import RunningService, until
from tests.support.terminal import Trivium
from trivium.config.compile import compile_file
from trivium.devtools.broker.broker import DevBroker
from trivium.engine.metrics import CATALOGUE, HASHES, SERVING_CATALOGUE
from trivium.runtimes.batch.run import run_batch
from trivium.runtimes.streaming.run import StreamArguments, run_streaming
from trivium.testing.kafka import topic_maker

EVENTS = [reading("a"), reading("b", value=-1.0), {"event_type": "reading"}]
Sample = Mapping[str, str]


@dataclass(frozen=True)
class Hashes:
    """What a source is known by."""

    logic: str
    plan: str


def shown(project: Readings) -> Hashes:
    """What `trivium plan` says of the project as its files are now."""
    done = Trivium()("plan", str(project.config), "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    return Hashes(found["logic"], found["plan"])


def change(project: Readings) -> None:
    """Another line in the executor's file, which changes no row; this process forgets what it has loaded of it."""
    project.executor.write_text(project.executor.read_text() + "\nUNUSED = 1\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "executors"]:
        del sys.modules[name]


def metrics(text: str) -> list[Sample]:
    """The tags of our metrics in an agent's text, with the metric's name as `name`."""
    lines = re.findall(r"^ray_(trivium_\w+?)(?:_bucket|_sum|_count)?\{(.*)\}", text, re.MULTILINE)
    samples = [{"name": name, **dict(re.findall(r'(\w+)="([^"]*)"', tags))} for name, tags in lines]
    return [each for each in samples if each.get("pipeline") == "readings"]


def hashes_of(samples: list[Sample]) -> set[Hashes]:
    return {Hashes(each["logic"], each["plan"]) for each in samples}


def exported() -> list[Sample]:
    """What the agents of the session's cluster export."""
    urls = [f"http://127.0.0.1:{node['MetricsExportPort']}/metrics" for node in ray.nodes() if node["Alive"]]
    return metrics("".join(urllib.request.urlopen(url, timeout=10).read().decode() for url in urls))


@pytest.fixture
def project(tmp_path: Path, kafka_broker: DevBroker) -> Readings:
    made = Readings(tmp_path, kafka_broker.servers, topic_maker(kafka_broker)(1)).write()
    made.archive(EVENTS)
    return made


@pytest.mark.usefixtures("ray_cluster")
def test_rows_and_dead_letters_of_a_batch(project: Readings) -> None:
    before = shown(project)
    run_batch(compile_file(project.config))
    assert traced(project, "batch") == [before] * 3
    change(project)
    after = shown(project)
    assert after.logic != before.logic
    assert after.plan != before.plan
    run_batch(compile_file(project.config))
    assert traced(project, "batch") == [after] * 3


@pytest.mark.usefixtures("ray_cluster")
def test_rows_dead_letters_and_metrics_of_a_stream(project: Readings) -> None:
    """What was written before the executor changed keeps the hashes it was made under."""
    project.produce(EVENTS)
    before = shown(project)
    catch_up(project)
    assert traced(project, "streaming") == [before] * 3
    change(project)
    after = shown(project)
    project.produce(EVENTS)
    catch_up(project)
    assert traced(project, "streaming") == [before, after, before, before, after, after]
    until(lambda: {before, after} <= hashes_of(exported()), 30)
    samples = [each for each in exported() if Hashes(each["logic"], each["plan"]) in (before, after)]
    never_moved = {"trivium_holes_total", "trivium_workers_lost_total", "trivium_source_reconnects_total"}
    assert {each["name"] for each in samples} == {metric.name for metric in CATALOGUE} - never_moved
    assert all(re.fullmatch("[0-9a-f]{16}", each.get(tag, "")) for each in exported() for tag in HASHES)


def catch_up(project: Readings) -> None:
    run_streaming(compile_file(project.config, runtime="streaming"), StreamArguments(until_caught_up=True))


def traced(project: Readings, runtime: str) -> list[Hashes]:
    """The hashes of a runtime's rows, then of its dead letters."""
    rows, letters = project.rows(runtime), project.letters(runtime)
    assert [letter["stage"] for letter in letters] == ["process", "decode"] * (len(letters) // 2)
    return [
        *(Hashes(row["_logic"], row["_plan"]) for row in rows),
        *(Hashes(letter["logic"], letter["plan"]) for letter in letters),
    ]


@pytest.mark.faults
def test_answers_and_metrics_of_a_service(tmp_path: Path) -> None:
    """Of every kind of answer, before and after a redeploy with another executor."""
    project = Readings(tmp_path).write()
    project.archive(EVENTS)
    before = shown(project)
    with RunningService(project.config, RAY_metrics_report_interval_ms="500") as service:
        assert answered(service) == {before}
        change(project)
        after = shown(project)
        service.redeploy()
        assert answered(service) == {after}
        until(lambda: hashes_of(metrics(service.metrics())) == {before, after}, 30)
        assert {each["name"] for each in metrics(service.metrics())} == {metric.name for metric in SERVING_CATALOGUE}


def answered(service: RunningService) -> set[Hashes]:
    """The hashes in the headers of every kind of answer, and in the plan the service shows."""
    answers = [service.post(EVENTS), service.post(EVENTS[0], "/v1/events/reading"), service.get("/openapi.json")]
    answers += [service.get("/readyz"), service.get("/docs"), service.get("/v1/plan")]
    refused = [service.get("/nothing"), service.get("/v1/events"), service.post(b"[1,"), service.post(b"x" * (2 << 20))]
    assert [each.status for each in (*answers, *refused)] == [200] * 6 + [404, 405, 400, 413]
    plan = answers[-1].json()
    headers = {Hashes(each.headers["trivium-logic"], each.headers["trivium-plan"]) for each in (*answers, *refused)}
    return headers | {Hashes(plan["logic"][:16], plan["plan"][:16])}
