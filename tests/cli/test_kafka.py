"""`trivium kafka` as a person types it: the broker outlives the command, and a crash is seen and repaired."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.cli.terminal import in_own_process
from trivium.operations.dev_broker import DevBroker
from trivium.operations.dev_broker_process import LOOPBACK, free_port
from trivium.testing.kafka import topic_maker

Kafka = Callable[..., CompletedProcess[str]]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    """`trivium kafka …` in a project whose path Kafka's own configuration could not hold."""
    project = tmp_path / "prö, j=1"
    (project / "executors").mkdir(parents=True)
    yield lambda *arguments: in_own_process("kafka", *arguments, folder=project)
    DevBroker(project / ".trivium" / "kafka").kill()


def state(kafka: Kafka) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kafka("status", "--format", "json").stdout)
    return found


def test_a_broker_is_started_once_crashes_comes_back_and_ends(kafka: Kafka) -> None:
    port = str(free_port())
    with ThreadPoolExecutor() as people:
        done = list(people.map(lambda _: kafka("up", "--port", port), range(2)))
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    assert sorted(one.stdout.split("\n")[0] for one in done) == ["already up", "up"]
    assert all(f"servers  {LOOPBACK}:{port}" in one.stdout for one in done)

    up = state(kafka)
    broker = DevBroker(Path(up["data"]).parent)
    topic = topic_maker(broker)(partitions=2)
    assert (up["state"], up["pid"], up["servers"]) == ("up", broker.pid, broker.servers)
    assert [topic, "2", "0", "0"] in [line.split() for line in kafka("status").stdout.splitlines()]

    other = kafka("up", "--port", str(free_port()))
    assert other.returncode == 2
    assert f"runs at port {port}" in other.stderr

    os.kill(up["pid"], signal.SIGKILL)
    crashed = kafka("status")
    assert (crashed.returncode, crashed.stdout.split("\n")[0]) == (1, "down")
    assert kafka("up").stdout.startswith("up\n")
    again = state(kafka)
    assert (again["servers"], again["topics"]) == (up["servers"], {topic: [0, 0]})

    assert kafka("down").stdout.startswith("stopped; its data stay in ")
    assert kafka("down").stdout.startswith("was not running")
    assert (state(kafka)["state"], state(kafka)["pid"]) == ("down", None)


def test_a_taken_port_is_an_argument_error(kafka: Kafka) -> None:
    with socket.create_server((LOOPBACK, free_port())) as other:
        done = kafka("up", "--port", str(other.getsockname()[1]))
    assert done.returncode == 2
    assert "another program has it. Try: another port" in done.stderr
