"""`trivium kafka` as a person types it: the broker outlives the command, and a crash is repaired."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.support.terminal import Trivium, in_own_process
from trivium.core.clock import Deadline, SystemClock
from trivium.core.network import LOOPBACK, free_port
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.broker.process import ProcessId
from trivium.testing.kafka import topic_maker


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose path Kafka's own configuration could not hold; the current folder."""
    project = tmp_path / "prö, j=1"
    (project / "executors").mkdir(parents=True)
    monkeypatch.chdir(project)
    yield project
    DevBroker(project / ".trivium" / "kafka").kill()


def up(folder: Path, *arguments: str) -> CompletedProcess[str]:
    """In a process of its own, which the broker must outlive."""
    return in_own_process("kafka", "up", *arguments, folder=folder)


def state(trivium: Trivium) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trivium("kafka", "status", "--format", "json").stdout)
    return found


def test_a_broker_is_started_once_crashes_comes_back_and_ends(work: Path, trivium: Trivium) -> None:
    port = str(free_port())
    with ThreadPoolExecutor() as people:
        done = list(people.map(lambda _: up(work, "--port", port), range(2)))
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    assert sorted(one.stdout.split("\n")[0] for one in done) == ["already up", "up"]
    assert all(f"servers  {LOOPBACK}:{port}" in one.stdout for one in done)

    first = state(trivium)
    broker = DevBroker(Path(first["data"]).parent)
    topic = topic_maker(broker)(partitions=2)
    assert (first["state"], first["pid"], first["servers"]) == ("up", broker.pid, broker.servers)
    assert [topic, "2", "0", "0"] in [line.split() for line in trivium("kafka", "status").stdout.splitlines()]

    other = trivium("kafka", "up", "--port", str(free_port()))
    assert other.exit_code == 2
    assert f"runs at port {port}" in other.stderr

    os.kill(first["pid"], signal.SIGKILL)
    assert ProcessId.of(first["pid"]).ended(Deadline.after(SystemClock(), 10), SystemClock())
    crashed = trivium("kafka", "status")
    assert (crashed.exit_code, crashed.stdout.split("\n")[0]) == (1, "down")
    assert up(work).stdout.startswith("up\n")
    again = state(trivium)
    assert (again["servers"], again["topics"]) == (first["servers"], {topic: [0, 0]})

    assert trivium("kafka", "down").stdout.startswith("stopped; its data stay in ")
    assert trivium("kafka", "down").stdout.startswith("was not running")
    ended = state(trivium)
    assert (ended["state"], ended["pid"]) == ("down", None)


def test_a_taken_port_is_an_argument_error(work: Path, trivium: Trivium) -> None:
    with socket.create_server((LOOPBACK, free_port())) as other:
        done = trivium("kafka", "up", "--port", str(other.getsockname()[1]))
    assert done.exit_code == 2
    assert "another program has it. Try: another port" in done.stderr
