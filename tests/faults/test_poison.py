"""Records that raise, kill or hang: each is a dead letter, everything else is in the table."""

from pathlib import Path

import pytest

from tests.faults.project import Project
from trivium.delivery import dead_letters


def letters(project: Project) -> dict[int, str]:
    """Reasons by event number (position over all days)."""
    rows = dead_letters.read(project.dead_letters, project.table).to_pylist()
    return {int(row["value"].split(b'"event_id":"e')[1].split(b'"')[0]): row["reason"] for row in rows}


def test_a_record_that_kills_its_process(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster)
    project.write_days(3, 200, {333: "die", 40: "raise"})
    report = project.run_well()
    assert (report["read"], report["rows"], report["rejected"]) == (600, 598, 2)
    assert letters(project) == {333: "worker_died", 40: "ValueError"}
    assert project.ids() == project.expected(600, {40, 333})


@pytest.mark.faults
def test_a_record_that_never_returns(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster, deadline=8)
    project.write_days(2, 60, {77: "hang"})
    report = project.run_well()
    assert (report["read"], report["rejected"]) == (120, 1)
    assert letters(project) == {77: "worker_hung"}
    assert project.ids() == project.expected(120, {77})


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_poison_and_killers_among_a_million(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster, unit_rows=100_000)
    total = 1_000_000
    project.write_days(10, total // 10, {123_456: "raise", 654_321: "die", 654_400: "die"})
    report = project.run_well()
    assert (report["read"], report["rows"], report["rejected"]) == (total, total - 3, 3)
    assert letters(project) == {123_456: "ValueError", 654_321: "worker_died", 654_400: "worker_died"}
    assert project.ids() == project.expected(total, {123_456, 654_321, 654_400})
