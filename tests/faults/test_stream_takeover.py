"""Two drivers of one pipeline: the newer one wins, the older one says so, and nothing of it becomes visible."""

import subprocess
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support.processes import stop, stopped, until, wake, workers_of
from tests.support.stream_project import StreamProject

pytestmark = pytest.mark.faults


def test_a_driver_stopped_before_its_commit_wakes_after_a_take_over(project: StreamProject) -> None:
    project.write_config(workers=1)
    project.produce(project.ticks(2_000, fickle=0.3))
    older = project.start(TRIVIUM_FAULT_POINT="table.before_commit:stop")
    until(lambda: stopped(older.pid), "the older driver has stopped before its commit")
    project.write_weights(range(5))
    project.catch_up_well()
    project.produce(project.ticks(500, fickle=0.3))
    wake(older.pid)
    assert_fenced(project, older)
    project.catch_up_well()
    found = project.audit()
    assert found.half_done
    assert found.changed


def test_a_writer_that_finishes_after_its_driver_was_fenced(project: StreamProject) -> None:
    """Driver and worker are stopped with an epoch half written; both go on after another run took over."""
    project.write_config(workers=1)
    project.produce(project.ticks(2_000, fickle=0.3))
    older = project.start(TRIVIUM_WORKER_FAULT_POINT="epoch.before_files:stop")
    until(lambda: [pid for pid in workers_of(project.root, older) if stopped(pid)], "a worker has stopped")
    (worker,) = workers_of(project.root, older)
    stop(older)
    project.catch_up_well()
    wake(worker)
    until(lambda: orphans(project, generation=1), "the older run's writer has finished its files")
    wake(older.pid)
    assert_fenced(project, older)
    project.produce(project.ticks(500, fickle=0.3))
    project.catch_up_well()
    project.audit()
    assert orphans(project, generation=1), "the older run's files are no part of the table"


def test_a_second_run_fences_a_busy_one(project: StreamProject) -> None:
    project.write_config(workers=1)
    older = project.start()
    project.produce(project.ticks(1_500, fickle=0.3))
    project.wait_for_version(3, older)
    newer = project.start("--until-caught-up")
    project.produce(project.ticks(1_500, fickle=0.3))
    assert_fenced(project, older)
    outcome = project.finish(newer)
    assert outcome.code == 0, outcome.said
    project.catch_up_well()
    project.audit()


def test_of_two_runs_started_at_once_one_wins(project: StreamProject) -> None:
    """Whoever takes the later generation; that is not always the one that was started later."""
    project.write_config(workers=1)
    project.produce(project.ticks(2_000, fickle=0.3))
    outcomes = [project.finish(each) for each in [project.start("--until-caught-up") for _ in range(2)]]
    winners = [each for each in outcomes if each.code == 0]
    assert winners, outcomes
    assert max(each.report["generation"] for each in winners) == 2
    for each in outcomes:
        assert each.code == 0 or "Fenced" in each.said, each.said
    project.audit()


def test_another_pipeline_is_refused_the_table(project: StreamProject) -> None:
    project.produce(project.ticks(200))
    project.catch_up_well()
    text = project.config.read_text()
    project.config.write_text(text.replace("pipeline: ticks", "pipeline: tocks"))
    outcome = project.catch_up()
    assert outcome.code == 1
    assert "belongs to pipeline 'ticks', not to 'tocks'" in outcome.said
    project.config.write_text(text)
    project.audit()


def assert_fenced(project: StreamProject, driver: subprocess.Popen[str]) -> None:
    """The driver ends by itself with exit code 1, saying that a newer run took over."""
    outcome = project.finish(driver)
    assert outcome.code == 1, outcome
    assert "Fenced" in outcome.said, outcome.said
    assert "a newer run of this pipeline took over" in outcome.said
    assert "Traceback" not in outcome.said


def orphans(project: StreamProject, generation: int) -> list[Path]:
    """Whole data files of a generation that are no part of the table."""
    active = set(DeltaTable(project.table).file_uris())
    files = Path(project.table).rglob(f"streaming-{generation}-*.parquet")
    return [path for path in files if not any(uri.endswith(path.name) for uri in active)]
