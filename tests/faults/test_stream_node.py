"""A cluster loses the node one of the stream's workers is on: the other node's work goes on, nothing is lost."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import until, workers_of
from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic

pytestmark = pytest.mark.faults


@pytest.fixture
def two_nodes(repository: Path) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    cluster = subprocess.Popen([sys.executable, "-m", "tests.support.two_nodes"], text=True, cwd=repository, **pipes)
    try:
        yield cluster
    finally:
        cluster.communicate(timeout=60)


@pytest.mark.timeout(400)
def test_a_node_with_a_worker_is_lost(
    tmp_path: Path, two_nodes: subprocess.Popen[str], kafka_broker: DevBroker, kafka_topic: MakeTopic, tally: Tally
) -> None:
    assert two_nodes.stdin
    assert two_nodes.stdout
    address = two_nodes.stdout.readline().strip()
    assert address, "the cluster did not start"
    project = StreamProject(tmp_path, address, kafka_broker, kafka_topic(partitions=4), tally)
    project.produce(project.ticks(1_000, fickle=0.3))
    driver = project.start()
    until(lambda: project.position() == 1_000, "the stream has read everything")
    assert len(workers_of(project.root, driver)) == 2
    project.produce(project.ticks(2_000, fickle=0.3))
    two_nodes.stdin.write("lose\n")
    two_nodes.stdin.flush()
    project.write_weights(range(5))
    assert two_nodes.stdout.readline() == "replaced\n"
    project.produce(project.ticks(1_000, fickle=0.3))
    until(lambda: project.position() == 4_000, "the stream has caught up on the third node", 150)
    driver.send_signal(signal.SIGTERM)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    assert outcome.report["workers_lost"] == 1
    project.audit()
