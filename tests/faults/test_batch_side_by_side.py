"""Two drivers side by side, one of them killed at each step: the other is not disturbed, and a re-run lands."""

import signal
from pathlib import Path

import pytest

from tests.support.batch_project import Project, kill
from trivium.delivery.dead_letters import batch as dead_letters

ROWS = 300
EARLY, LATE = (0, 3), (3, 6)
BAD = {7: "raise", 99: "drop", 3 * ROWS + 5: "raise"}
STEPS = [
    "generation.between_tables",
    "dead_letters.before_commit",
    "dead_letters.after_commit",
    "coverage.published",
    "table.before_commit",
    "table.after_commit",
]
LATE_IDS = sorted(f"e{i}" for i in range(3 * ROWS, 6 * ROWS) if i not in BAD)
EARLY_IDS = sorted(f"e{i}" for i in range(3 * ROWS) if i not in BAD)


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str) -> Project:
    """Six days, of which the last waits for a gate to open; a run takes one of the two CPUs."""
    made = Project(tmp_path, ray_cluster, unit_rows=300, deadline=240)
    made.config.write_text(made.config.read_text().replace("workers: 2", "workers: 1"))
    for number in range(6):
        made.write_day(number, ROWS, {**BAD, 6 * ROWS - 1: str(gate(made))})
    return made


def gate(project: Project) -> Path:
    """The file for which the late run's last unit waits."""
    return project.root / "gate"


def undisturbed(project: Project) -> None:
    """Both runs are in the table, each once."""
    assert project.ids() == sorted(EARLY_IDS + LATE_IDS)
    letters = dead_letters.read(project.dead_letters, project.table)
    assert sorted(letters["position"].to_pylist()) == [5, 7]
    assert project.finished_units() == 0
    project.files_whole()


@pytest.mark.faults
@pytest.mark.parametrize("step", STEPS)
def test_the_newer_run_killed_at_a_step(project: Project, step: str) -> None:
    """The older one commits later, under another number where the killed one had committed."""
    older = project.start(LATE)
    project.wait_for_units(1, older)
    assert project.run(EARLY, TRIVIUM_FAULT_POINT=step).code == -signal.SIGKILL
    assert older.poll() is None
    gate(project).touch()
    landed = step == "table.after_commit"
    outcome = project.finish(older)
    assert outcome.code == 0, outcome.said
    assert outcome.report["generation"] == (3 if landed else 1)
    assert project.ids() == (sorted(EARLY_IDS + LATE_IDS) if landed else LATE_IDS)

    report = project.run_well(EARLY)
    assert report["reused"] == (0 if landed or step == "generation.between_tables" else 3)
    undisturbed(project)


@pytest.mark.faults
@pytest.mark.parametrize("step", STEPS[1:])
def test_the_older_run_killed_at_a_step(project: Project, step: str) -> None:
    """The newer one has come and gone by then, so the older one is on its second number."""
    older = project.start(LATE, TRIVIUM_FAULT_POINT=step)
    project.wait_for_units(1, older)
    assert project.run_well(EARLY)["generation"] == 2
    assert older.poll() is None
    gate(project).touch()
    assert project.finish(older).code == -signal.SIGKILL
    landed = step == "table.after_commit"
    assert project.ids() == (sorted(EARLY_IDS + LATE_IDS) if landed else EARLY_IDS)

    report = project.run_well(LATE)
    assert report["reused"] == (0 if landed else 3)
    undisturbed(project)


@pytest.mark.faults
def test_a_run_killed_between_units_resumes_after_another_committed(project: Project) -> None:
    killed = project.start(LATE)
    project.wait_for_units(1, killed)
    kill(killed)
    gate(project).touch()
    project.run_well(EARLY)
    assert project.ids() == EARLY_IDS
    assert 1 <= project.run_well(LATE)["reused"] < 3
    undisturbed(project)


@pytest.mark.faults
def test_the_older_of_two_that_overlap_stops_and_says_so(project: Project) -> None:
    older = project.start(LATE)
    project.wait_for_units(1, older)
    project.run_well((2, 4))
    gate(project).touch()
    outcome = project.finish(older)
    assert outcome.code == 1
    assert "this run has generation 1, the table has generation 2: a newer run" in outcome.said
    project.run_well(LATE)
    project.run_well(EARLY)
    undisturbed(project)
