"""SIGTERM before a run has begun: while Ray starts, and while workers open."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes import until
from tests.support.readings import Readings, reading
from tests.support.terminal import PLATFORM
from trivium.delivery.storage.token import StorageToken
from trivium.devtools.broker.broker import DevBroker
from trivium.runtimes.streaming.job import StreamJob
from trivium.runtimes.streaming.worker.actor import StreamWorker
from trivium.testing.kafka import topic_maker

SAID = "asked to stop while Ray started; no event was read"


@pytest.fixture
def project(tmp_path: Path, kafka_broker: DevBroker) -> Readings:
    made = Readings(tmp_path, kafka_broker.servers, topic_maker(kafka_broker)(1)).write()
    made.archive([reading("a")])
    made.produce([reading("a")])
    return made


def stopped_when(project: Readings, runtime: str, process: str) -> subprocess.CompletedProcess[str]:
    """A run with a cluster of its own that got SIGTERM as soon as it had a process of this name below it."""
    command = [sys.executable, "-m", "trivium.cli.main", "run", runtime, str(project.config)]
    environ = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, env={**environ, "PYTHONPATH": str(PLATFORM)}, text=True, **pipes)
    below = psutil.Process(running.pid)
    try:
        until(lambda: any(process in name for name in names(below)), process, 60)
        running.send_signal(signal.SIGTERM)
        out, said = running.communicate(timeout=60)
    finally:
        running.kill()
    return subprocess.CompletedProcess(command, running.returncode, out, said)


def names(below: psutil.Process) -> list[str]:
    """The command lines of the processes below one."""
    found = []
    for each in below.children(recursive=True):
        try:
            found.append(" ".join(each.cmdline()))
        except psutil.Error:  # it has ended
            continue
    return found


def test_a_stream_that_is_stopped_while_ray_starts_ends_well_and_says_so(project: Readings) -> None:
    done = stopped_when(project, "streaming", "gcs_server")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [line["message"] for line in lines if "first positions" not in line["message"]] == [SAID]
    assert ["all", "0", "0", "0", "0", "0"] in [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("runtime", "code"), [("serving", 0), ("batch", 1)])
def test_the_other_runtimes_say_it_too(project: Readings, runtime: str, code: int) -> None:
    """A service has nobody to answer yet; a batch run that did not do its work has failed."""
    done = stopped_when(project, runtime, "gcs_server")
    assert done.returncode == code, done.stderr
    *steps, last = done.stderr.splitlines()
    assert SAID in last
    assert all(step.endswith(" …") for step in steps), done.stderr


@pytest.mark.faults
def test_a_stream_that_is_stopped_while_its_worker_opens_ends_well(project: Readings) -> None:
    done = stopped_when(project, "streaming", "StreamWorker")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "ERROR" not in done.stderr


def test_a_worker_that_is_not_open_has_no_epoch_to_cut() -> None:
    StreamWorker(StreamJob(b"{}", {}, "nowhere", 1, {}, StorageToken("nowhere", "token", "text"))).cut()
