"""One broker and one cluster for the stream's fault tests, and the tally of the whole matrix."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic

MATRIX = pytest.StashKey[Tally]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show each scenario's balance, whether its test passed or not."""
    matrix = config.stash.get(MATRIX, Tally())
    if matrix.scenarios:
        terminalreporter.section("balance of each streaming scenario")
        for line in matrix.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Tally:
    """The scenarios of this session so far."""
    return pytestconfig.stash.setdefault(MATRIX, Tally())


@pytest.fixture
def tally(matrix: Tally, request: pytest.FixtureRequest) -> Iterator[Tally]:
    """The session's tally, under the name of this test."""
    matrix.running = request.node.name
    yield matrix
    matrix.running = ""


@pytest.fixture
def project(
    tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic, tally: Tally
) -> StreamProject:
    """A project with a topic of three partitions."""
    return StreamProject(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=3), tally)
