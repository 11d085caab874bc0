"""A stream that maintains its own table: fewer files, the same rows, and commits that go on meanwhile."""

from __future__ import annotations

import logging
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.core.clock import SystemClock
from trivium.delivery.maintenance import ledger
from trivium.delivery.storage.token import StorageToken
from trivium.devtools.broker.broker import DevBroker
from trivium.runtimes.streaming.keeper import Keeper
from trivium.testing.kafka import MakeTopic


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> StreamProject:
    made = StreamProject(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=2), Tally(), 0.2, workers=1)
    made.config.write_text(f"{made.config.read_text()}  maintain: every 3s\n")
    return made


def compactions(project: StreamProject) -> int:
    return sum(commit.metadata.get("kind") == "compaction" for commit in ledger.commits(project.table))


def test_files_go_down_while_the_stream_runs_and_no_row_is_lost_or_doubled(project: StreamProject) -> None:
    project.produce(project.ticks(100))
    process = project.start()
    project.wait_for_version(1, process)
    end = time.monotonic() + 60
    while compactions(project) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "no second compaction in time"
        project.produce(project.ticks(50, fickle=0.1))
    project.produce(project.ticks(50))
    produced, end = sum(project.produced.values()), time.monotonic() + 30
    while project.position() < produced:
        assert time.monotonic() < end, "the last records were not committed in time"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    outcome = project.finish(process)
    assert outcome.code == 0, outcome.said
    commits = [commit for commit in ledger.commits(project.table) if "ranges" in commit.metadata]
    assert len(DeltaTable(project.table).file_uris()) < len(commits)
    gaps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(commits)]
    assert max(gaps) < 5_000, "a commit waited for the maintenance"
    project.audit()


@pytest.mark.usefixtures("ray_cluster")
def test_a_maintenance_that_fails_is_a_warning_and_the_next_one_tries_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = StorageToken(str(tmp_path / "table"), "_trivium/tokens/none", "secret")
    keeper = Keeper(elsewhere, str(tmp_path / "letters"), 0.0, SystemClock())
    end = time.monotonic() + 60
    while len(caplog.records) < 2:
        assert time.monotonic() < end, "no second try in time"
        with caplog.at_level(logging.WARNING, "trivium"):
            keeper.step()
        time.sleep(0.05)
    keeper.close()
    assert all("the stream goes on" in record.getMessage() for record in caplog.records)
    assert "StorageNotShared" in caplog.text
