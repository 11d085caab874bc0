"""SIGKILL at each step of the protocol: every offset is accounted for once, whatever was under way."""

from pathlib import Path

import pytest

from tests.faults.stream_project import StreamProject
from trivium.operations.dev_broker import DevBroker
from trivium.testing.kafka import MakeTopic

pytestmark = pytest.mark.faults


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> StreamProject:
    return StreamProject(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=3))


def test_an_undisturbed_stream_accounts_for_every_offset(project: StreamProject) -> None:
    project.produce(project.ticks(5_000, fickle=0.2))
    report = project.catch_up_well()
    assert report["read"] == 5_000
    found = project.audit()
    assert found.in_table + found.dropped + found.dead_letters == 5_000


@pytest.mark.parametrize(
    "point",
    ["stream_letters.before_commit", "stream_letters.after_commit", "table.before_commit", "table.after_commit"],
)
def test_a_driver_killed_around_its_commits(project: StreamProject, point: str) -> None:
    project.produce(project.ticks(3_000, fickle=0.3))
    assert project.catch_up(TRIVIUM_FAULT_POINT=point).code < 0
    project.write_weights(range(5))
    project.produce(project.ticks(2_000, fickle=0.3))
    project.catch_up_well()
    found = project.audit()
    if point in ("stream_letters.after_commit", "table.before_commit"):
        assert found.half_done
        assert found.changed


@pytest.mark.parametrize("point", ["epoch.after_batch", "epoch.before_files", "epoch.after_files"])
def test_a_worker_killed_around_its_files(project: StreamProject, tmp_path: Path, point: str) -> None:
    project.produce(project.ticks(3_000, fickle=0.3))
    report = project.catch_up_well(TRIVIUM_WORKER_FAULT_POINT=f"{point}:once={tmp_path / 'flag'}")
    assert (tmp_path / "flag").exists()
    assert report["workers_lost"] == 1
    project.audit()


def test_records_that_kill_or_hang_their_worker_become_dead_letters(project: StreamProject) -> None:
    project.produce(project.ticks(3_000, {700: "die", 1500: "hang"}))
    report = project.catch_up_well()
    found = project.audit()
    assert report["rejected"] == found.dead_letters == 2
    assert project.letters() == {"worker_died": 1, "worker_hung": 1}
