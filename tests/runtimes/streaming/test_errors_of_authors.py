"""Whatever an executor raises in a stream is a dead letter; an error of the engine ends the stream with its name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> StreamProject:
    return StreamProject(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=1), Tally(), workers=1)


def test_errors_that_are_no_exceptions_are_dead_letters(project: StreamProject) -> None:
    project.produce(project.ticks(100, {10: "memory", 20: "interrupt", 30: "surrogate"}))
    report = project.catch_up_well()
    assert report["workers_lost"] == 0
    letters = dead_letters.read(project.dead_letters, project.table).to_pylist()
    assert {row["position"]: row["error"] for row in letters} == {
        10: "MemoryError: no room",
        20: "RejectError: the executor raised KeyboardInterrupt",
        30: "ValueError: unknown \\ud83d",
    }
    project.audit()


def test_an_error_of_the_engine_ends_the_stream_with_its_name(project: StreamProject) -> None:
    project.produce(project.ticks(100, {50: "engine"}))
    began = time.monotonic()
    outcome = project.catch_up()
    assert outcome.code == 1
    assert "ArrowInvalid: a fault of the engine" in outcome.said
    assert "is lost" not in outcome.said
    assert time.monotonic() - began < 60
