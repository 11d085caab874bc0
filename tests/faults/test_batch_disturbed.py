"""Batch runs beside other writers, over broken sources, and after clean-up took files."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tests.support.batch_project import EXECUTOR, ROW, Project
from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from trivium.delivery.dead_letters import batch as dead_letters

DAYS, ROWS = 4, 300
TOTAL = DAYS * ROWS


@pytest.fixture
def project(tmp_path: Path, ray_cluster: str) -> Project:
    return filled(tmp_path, ray_cluster)


@pytest.fixture
def local(tmp_path: Path) -> Project:
    """A project whose runs are hosted by this process."""
    return filled(tmp_path, "")


def filled(root: Path, address: str) -> Project:
    made = Project(root, address, unit_rows=300)
    made.write_days(DAYS, ROWS, {7: "raise"})
    return made


def test_a_truncated_source_file_stops_the_run_and_is_named(local: Project) -> None:
    path = local.write_day(2, ROWS, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    outcome = local.run_here()
    assert outcome.code == 1
    assert outcome.said.startswith("SourceError") or "SourceError" in outcome.said
    assert "day=2026-03-03/part-0.parquet: expected a whole Parquet file" in outcome.said
    assert "Traceback" not in outcome.said

    path.write_bytes(whole)
    assert local.run_well_here()["rows"] == TOTAL - 1


def test_bytes_torn_inside_a_page_stop_the_run_and_name_the_rows(project: Project) -> None:
    path = project.write_day(1, ROWS, {})
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(400) + whole[500:])
    outcome = project.run()
    assert outcome.code == 1
    assert "day=2026-03-02/part-0.parquet, rows 0 to 300: cannot be read" in outcome.said
    assert "Traceback" not in outcome.said

    path.write_bytes(whole)
    assert project.run_well()["rows"] == TOTAL - 1


def test_an_orphan_taken_by_vacuum_is_written_again(local: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "table.before_commit:raise")
    assert local.run_here().code == 1
    monkeypatch.delenv("TRIVIUM_FAULT_POINT")
    kept = local.finished_units()
    removed = DeltaTable(local.table).vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True
    )
    assert removed, "vacuum found no orphan"
    assert local.finished_units() == kept, "vacuum took resume markers"

    report = local.run_well_here()
    assert report["reused"] < report["units"]
    assert local.ids() == local.expected(TOTAL, {7})
    local.files_whole()


def test_another_schema_is_refused_with_both_shown(local: Project) -> None:
    local.run_well_here()
    before = local.content()
    (local.root / "executors/tick_row.py").write_text(ROW.replace("doubled: int", "doubled: str").lstrip())
    text = EXECUTOR.replace("doubled=2 * event.value", "doubled=str(2 * event.value)")
    (local.root / "executors/tick/executor.py").write_text(text.lstrip())
    outcome = local.run_here()
    assert outcome.code == 1
    assert "SchemaConflict" in outcome.said
    assert "doubled: long" in outcome.said
    assert "doubled: string" in outcome.said
    assert local.content() == before


def test_a_new_nullable_column_is_added(local: Project) -> None:
    local.run_well_here()
    version = DeltaTable(local.table).version()
    (local.root / "executors/tick_row.py").write_text(ROW.lstrip() + "    parity: str | None = None\n")
    text = EXECUTOR.replace("doubled=2 *", "parity='odd' if event.value % 2 else None, doubled=2 *")
    (local.root / "executors/tick/executor.py").write_text(text.lstrip())
    local.run_well_here()
    table = DeltaTable(local.table)
    values = table.to_pyarrow_table(columns=["value", "parity"]).to_pylist()
    assert all(row["parity"] == ("odd" if row["value"] % 2 else None) for row in values)
    assert "parity" not in [field.name for field in DeltaTable(local.table, version=version).schema().fields]


@pytest.mark.faults
def test_of_two_runs_at_once_the_newer_wins(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster, unit_rows=100)
    project.write_days(DAYS, ROWS, dict.fromkeys(range(0, TOTAL, 60), "slow") | {7: "raise"})
    older = project.start()
    project.wait_for_units(1, older)
    newer = project.start()
    outcomes = [project.finish(older), project.finish(newer)]
    assert outcomes[1].code == 0, outcomes[1].said
    assert outcomes[0].code == 1
    assert "a newer run of this pipeline took over" in outcomes[0].said
    assert project.ids() == project.expected(TOTAL, {7})
    assert dead_letters.read(project.dead_letters, project.table).num_rows == 1


@pytest.mark.faults
def test_a_rerun_racing_compaction(tmp_path: Path, ray_cluster: str) -> None:
    """Compactions all through a re-run: its removals are computed anew from the snapshot it commits on."""
    project = Project(tmp_path, ray_cluster, unit_rows=100)
    project.write_days(DAYS, ROWS, dict.fromkeys(range(0, TOTAL, 100), "slow") | {7: "raise"})
    project.run_well()
    before = project.content()
    rerun = project.start()
    compactions = 0
    while rerun.poll() is None:
        compactions += _compact(project)
        time.sleep(0.02)
    outcome = project.finish(rerun)
    assert outcome.code == 0, outcome.said
    assert compactions > 0
    assert project.content() == before
    project.files_whole()


def _compact(project: Project) -> int:
    """Compact if there is anything to compact; how many compactions were committed."""
    try:
        metrics = DeltaTable(project.table).optimize.compact()
    except DeltaError:
        return 0
    return int(metrics["numFilesRemoved"] > 0)


@pytest.mark.faults
def test_units_finished_by_a_killed_run_survive_a_compaction(project: Project) -> None:
    project.run_well()
    before = project.content()
    assert project.run(TRIVIUM_FAULT_POINT="dead_letters.after_commit").code < 0
    DeltaTable(project.table).optimize.compact()
    report = project.run_well()
    assert report["reused"] == report["units"]
    assert project.content() == before
    project.files_whole()


@pytest.mark.faults
def test_a_source_that_changes_under_the_run_stops_it(tmp_path: Path, ray_cluster: str) -> None:
    project = Project(tmp_path, ray_cluster, unit_rows=300)
    project.write_days(3 * DAYS, ROWS, dict.fromkeys(range(0, 3 * TOTAL, 60), "slow"))
    driver = project.start()
    project.wait_for_units(1, driver)
    last = sorted((project.root / "data").rglob("*.parquet"))[-1]
    pq.write_table(pa.table({"value": pa.array([b"{}"], pa.binary())}), last)
    outcome = project.finish(driver)
    assert outcome.code == 1
    assert "the file changed while the run was on" in outcome.said
    assert project.run_well()["read"] == 3 * TOTAL - ROWS + 1
