"""Drivers and actors that die at each step: the table equals an undisturbed run's; orphans allowed, missing never."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.batch_project import Project, kill
from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from trivium.core import fault_points
from trivium.delivery.dead_letters import batch as dead_letters

DAYS, ROWS = 8, 500
TOTAL = DAYS * ROWS
BAD = {7: "raise", 1234: "raise", 99: "drop"}
STEPS = [
    "dead_letters.before_commit",
    "dead_letters.after_commit",
    "coverage.published",
    "table.before_commit",
    "table.after_commit",
]


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str) -> Project:
    made = Project(tmp_path, ray_cluster)
    made.write_days(DAYS, ROWS, BAD)
    return made


class Died(BaseException):
    """The end of a process."""


def die(name: str, _action: str) -> None:
    raise Died(name)


def undisturbed(project: Project) -> None:
    """What must hold after any run that succeeded in the end."""
    assert project.ids() == project.expected(TOTAL, {7, 99, 1234})
    letters = dead_letters.read(project.dead_letters, project.table)
    assert sorted(letters["position"].to_pylist()) == [7, 234]
    assert set(letters["reason"].to_pylist()) == {"ValueError"}
    project.files_whole()


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_ends_around_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """In this process, where an error that nothing catches stands for the death of a driver."""
    project = Project(tmp_path, "")
    project.write_days(DAYS, ROWS, BAD)
    monkeypatch.setattr(fault_points, "_strike", die)
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", step)
    with pytest.raises(Died):
        project.run_here()
    monkeypatch.delenv("TRIVIUM_FAULT_POINT")
    landed = step == "table.after_commit"
    assert (len(project.content()) > 0) == landed

    report = project.run_well_here()
    assert report["reused"] == (0 if landed else report["units"])
    undisturbed(project)
    assert project.finished_units() == 0


@pytest.mark.faults
@pytest.mark.parametrize("step", STEPS)
def test_driver_killed_around_a_commit(project: Project, step: str) -> None:
    killed = project.run(TRIVIUM_FAULT_POINT=step)
    assert killed.code == -signal.SIGKILL
    landed = step == "table.after_commit"
    assert (len(project.content()) > 0) == landed

    report = project.run_well()
    assert report["reused"] == (0 if landed else report["units"])
    undisturbed(project)
    assert project.finished_units() == 0


@pytest.mark.faults
def test_driver_killed_between_units_resumes(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster)
    project.write_days(
        DAYS, ROWS, dict.fromkeys(range(0, TOTAL, 250), "slow") | {7: "raise", 1234: "raise", 99: "drop"}
    )
    driver = project.start()
    project.wait_for_units(2, driver)
    kill(driver)
    assert project.content() == []

    report = project.run_well()
    assert 2 <= report["reused"] < report["units"]
    undisturbed(project)


def _actors() -> list[psutil.Process]:
    """Return the pool's actors: worker processes of this process's Ray that hold a unit."""
    return [each for each in psutil.process_iter() if _is_pool_actor(each)]


def _is_pool_actor(process: psutil.Process) -> bool:
    try:
        ours = process.environ().get("RAY_TMPDIR") == os.environ["RAY_TMPDIR"]
        return ours and "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.faults
def test_actor_killed_from_outside(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster)
    project.write_days(
        DAYS, ROWS, dict.fromkeys(range(0, TOTAL, 250), "slow") | {7: "raise", 1234: "raise", 99: "drop"}
    )
    driver = project.start()
    project.wait_for_units(1, driver)
    actors = _actors()
    assert actors, "no actor was found"
    os.kill(actors[0].pid, signal.SIGKILL)
    outcome = project.finish(driver)
    assert outcome.code == 0, outcome.said
    assert "a worker died" in outcome.said
    assert outcome.report["rejected"] == 2
    undisturbed(project)


@pytest.mark.faults
@pytest.mark.parametrize("step", ["unit.before_files", "unit.after_files"])
def test_actor_killed_around_its_files(project: Project, tmp_path: Path, step: str) -> None:
    report = project.run_well(TRIVIUM_FAULT_POINT=f"{step}:once={tmp_path / 'struck'}")
    assert (tmp_path / "struck").exists()
    assert report["rejected"] == 2
    undisturbed(project)


@pytest.mark.faults
def test_a_rerun_changes_nothing_in_content(project: Project) -> None:
    project.run_well()
    before = project.content()
    report = project.run_well()
    assert (report["generation"], report["reused"]) == (2, 0)
    assert project.content() == before
    undisturbed(project)
