"""The two crashes everybody's change must survive; `./dev test faults` has all of them."""

from pathlib import Path

import pytest

from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> StreamProject:
    return StreamProject(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=2), Tally(), workers=1)


def test_a_driver_killed_between_dead_letters_and_rows(project: StreamProject) -> None:
    project.produce(project.ticks(1_000, fickle=0.3))
    assert project.catch_up(TRIVIUM_FAULT_POINT="stream_letters.after_commit").code < 0
    assert project.letters() == {}, "letters that do not count are shown"
    project.catch_up_well()
    found = project.audit()
    assert found.half_done
    assert found.changed


def test_a_worker_killed_in_the_middle_of_a_file(project: StreamProject, tmp_path: Path) -> None:
    project.produce(project.ticks(1_000, fickle=0.3))
    flag = tmp_path / "flag"
    report = project.catch_up_well(TRIVIUM_WORKER_FAULT_POINT=f"files.after_row_group:once={flag}")
    assert flag.exists()
    assert report["workers_lost"] == 1
    project.audit()
