"""Records that raise, kill or hang: each is a dead letter, everything else is in the table."""

import time
from pathlib import Path

import pytest

from tests.support.batch_project import Project
from trivium.delivery.dead_letters import batch as dead_letters


def letters(project: Project) -> dict[int, str]:
    """Reasons by event number (position over all days)."""
    rows = dead_letters.read(project.dead_letters, project.table).to_pylist()
    return {int(row["value"].split(b'"event_id":"e')[1].split(b'"')[0]): row["reason"] for row in rows}


@pytest.mark.faults
def test_a_record_that_kills_its_process(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster)
    project.write_days(3, 200, {333: "die", 40: "raise"})
    report = project.run_well()
    assert (report["read"], report["rows"], report["rejected"]) == (600, 598, 2)
    assert letters(project) == {333: "worker_died", 40: "ValueError"}
    assert project.ids() == project.expected(600, {40, 333})


def test_errors_that_are_no_exceptions_are_rejects(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster)
    project.write_days(1, 60, {10: "memory", 20: "interrupt", 30: "surrogate"})
    report = project.run_well()
    assert (report["read"], report["rejected"]) == (60, 3)
    assert letters(project) == {10: "MemoryError", 20: "RejectError", 30: "ValueError"}
    assert project.ids() == project.expected(60, {10, 20, 30})


def test_an_error_of_the_engine_ends_the_run_with_its_name(tmp_path: Path, ray_cluster: str) -> None:
    """Its worker lives on and holds its CPU: nothing is run in isolation, and no record is blamed."""
    project = Project(tmp_path, ray_cluster)
    project.write_days(2, 60, {77: "engine"})
    began = time.monotonic()
    outcome = project.run()
    assert outcome.code == 1
    assert "ArrowInvalid: a fault of the engine" in outcome.said
    assert "day=2026-03-02" in outcome.said, "the unit is named"
    assert "worker died" not in outcome.said
    assert time.monotonic() - began < 60


@pytest.mark.faults
@pytest.mark.parametrize("action", ["exit", "segfault", "hang"])
def test_a_bad_record_with_as_many_workers_as_cpus(tmp_path: Path, ray_cluster: str, action: str) -> None:
    """Isolation needs no CPU of its own, and a slow start of its process is not the record's."""
    project = Project(tmp_path, ray_cluster, deadline=8)
    project.write_days(2, 8, {11: action})
    began = time.monotonic()
    report = project.run_well()
    assert (report["read"], report["rejected"]) == (16, 1)
    assert letters(project) == {11: "worker_hung" if action == "hang" else "worker_died"}
    assert project.ids() == project.expected(16, {11})
    assert time.monotonic() - began < 120


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
