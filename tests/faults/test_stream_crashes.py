"""SIGKILL at each step of the protocol: every offset is accounted for once, whatever was under way."""

from pathlib import Path

import pytest

from tests.support.processes import until
from tests.support.stream_project import StreamProject, kill

pytestmark = pytest.mark.faults

HALF_DONE = ("stream_letters.after_commit", "table.before_commit")


def test_an_undisturbed_stream_accounts_for_every_offset(project: StreamProject) -> None:
    project.produce(project.ticks(5_000, fickle=0.2))
    report = project.catch_up_well()
    assert report["read"] == 5_000
    found = project.audit()
    assert found.in_table + found.dropped + found.dead_letters == 5_000


@pytest.mark.parametrize(
    "point",
    [
        "generation.between_tables",
        "adoption.before_commit",
        "adoption.after_commit",
        "stream_letters.before_commit",
        "stream_letters.before_commit:soon=0.002",
        "stream_letters.after_commit",
        "table.before_commit",
        "table.before_commit:soon=0.002",
        "table.after_commit",
        "group_offsets.before",
    ],
)
def test_a_driver_killed_at_a_step(project: StreamProject, point: str) -> None:
    project.produce(project.ticks(3_000, fickle=0.3))
    assert project.catch_up(TRIVIUM_FAULT_POINT=point).code < 0
    project.write_weights(range(5))
    project.produce(project.ticks(2_000, fickle=0.3))
    project.catch_up_well()
    found = project.audit()
    if point in HALF_DONE:
        assert found.half_done
        assert found.changed


def test_a_start_killed_while_it_removes_what_does_not_count(project: StreamProject) -> None:
    project.produce(project.ticks(3_000, fickle=0.3))
    assert project.catch_up(TRIVIUM_FAULT_POINT="table.before_commit").code < 0
    for point in ("clean_up.before_commit", "clean_up.after_commit"):
        assert project.catch_up(TRIVIUM_FAULT_POINT=point).code < 0
        if point == "clean_up.before_commit":
            assert project.letters() == {}, "letters that do not count are shown"
    project.catch_up_well()
    assert project.audit().half_done


@pytest.mark.parametrize(
    "point", ["epoch.after_batch", "epoch.before_files", "files.after_row_group", "epoch.after_files"]
)
def test_a_worker_killed_around_its_files(project: StreamProject, tmp_path: Path, point: str) -> None:
    project.produce(project.ticks(3_000, fickle=0.3))
    report = project.catch_up_well(TRIVIUM_WORKER_FAULT_POINT=f"{point}:once={tmp_path / 'flag'}")
    assert (tmp_path / "flag").exists()
    assert report["workers_lost"] == 1
    project.audit()


@pytest.mark.parametrize("point", ["table.after_commit", "stream_letters.after_commit"])
def test_an_answer_of_a_commit_that_never_comes(project: StreamProject, point: str) -> None:
    """Each commit lands and raises: the committer finds it in the table, and commits nothing twice."""
    project.produce(project.ticks(3_000, fickle=0.3))
    report = project.catch_up_well(TRIVIUM_FAULT_POINT=f"{point}:raise")
    assert report["read"] == 3_000
    project.audit()


def test_a_driver_killed_while_records_flow(project: StreamProject) -> None:
    """Three take-overs in a row, each while the one before is at work and the lookup changes its answers."""
    for turn in range(3):
        driver = project.start()
        before = project.version()
        project.produce(project.ticks(1_500, fickle=0.3))
        project.wait_for_version(max(3, before + 2), driver)
        project.produce(project.ticks(500, fickle=0.3))
        kill(driver)
        project.write_weights(range(9 - 3 * turn))
    project.catch_up_well()
    project.audit()


def test_records_that_kill_or_hang_their_worker_become_dead_letters(project: StreamProject) -> None:
    project.produce(project.ticks(3_000, {700: "die", 1500: "hang"}))
    report = project.catch_up_well()
    found = project.audit()
    assert report["rejected"] == found.dead_letters == 2
    assert project.letters() == {"worker_died": 1, "worker_hung": 1}


def test_both_tables_are_made_by_a_start_killed_in_between(project: StreamProject) -> None:
    """Killed before anything but the tables is there."""
    project.produce(project.ticks(100))
    driver = project.start("--until-caught-up")
    until(lambda: project.version() >= 0, "the table is there")
    kill(driver)
    project.catch_up_well()
    project.audit()


@pytest.mark.parametrize(
    "point", ["park.recorded", "stream_letters.after_commit", "table.before_commit", "table.after_commit"]
)
def test_a_driver_killed_around_parking_a_type(project: StreamProject, point: str) -> None:
    """Every record raises, so the first epoch parks their type; killed there or later, none is lost or kept twice."""
    text = project.config.read_text()
    project.config.write_text(text.replace("breaker: off", "breaker: {window_events: 200, least: 100, then: park}"))
    project.produce(project.ticks(3_000, dict.fromkeys(range(3_000), "raise")))
    assert project.catch_up(TRIVIUM_FAULT_POINT=point).code < 0
    project.produce(project.ticks(500))
    project.catch_up_well()
    found = project.audit()
    assert (found.in_table, found.dead_letters) == (0, 3_500)
    assert project.letters()["parked"] >= 3_000
