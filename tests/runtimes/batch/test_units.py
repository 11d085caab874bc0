"""Units on a worker, without Ray: what they write, what a worker refuses, records that no process survives."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from tests.support.visits import LOOKUPS, TYPED, TYPED_SCHEMA, Visits, day, visit, window
from trivium.connectors.archive.units import Unit
from trivium.core.errors import RunError, TriviumError
from trivium.delivery.errors import StorageNotShared
from trivium.engine.outcomes import Counts
from trivium.runtimes.batch.prepare import BatchArguments, Prepared, unit_context
from trivium.runtimes.batch.unit_runner import UnitRunner


def single(prepared: Prepared) -> Unit:
    (unit,) = prepared.source.units
    return unit


def dead_letters(project: Visits, files: tuple[object, ...]) -> list[dict[str, object]]:
    paths = [Path(project.letters, file.path) for file in files]  # type: ignore[attr-defined]
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def records(unit: Unit) -> list[Unit]:
    return [unit] if unit.rows == 1 else [record for half in unit.halves() for record in records(half)]


def test_a_unit_in_parts_gives_the_same_rows_and_balance(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit(f"v{n}", 0, back=n % 3, action="raise" if n == 4 else None) for n in range(8)])
    prepared = project.prepare()
    runner = UnitRunner(prepared.job)
    whole = runner.run(single(prepared))
    parts = [runner.run(record) for record in records(single(prepared))]
    assert sum(file.rows for file in whole.files) == sum(file.rows for part in parts for file in part.files)
    assert sum(file.rows for part in parts for file in part.rejects) == 1
    total = Counts()
    for part in parts:
        for counts in part.counts.values():
            total.add(counts)
    assert whole.counts == {"visit": total}


def test_a_result_survives_its_journey_to_the_driver(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("v", 0), visit("bad", 0, action="raise")])
    prepared = project.prepare()
    result = UnitRunner(prepared.job).run(single(prepared))
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_a_record_no_process_survives_is_a_dead_letter_with_its_bytes(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0), visit("poison", 0), visit("c", 0)])
    prepared = project.prepare()
    record = records(single(prepared))[1]
    result = UnitRunner(prepared.job).reject(record, "worker_died", "died twice")
    (letter,) = dead_letters(project, result.rejects)
    assert msgspec.json.decode(letter["value"])["event_id"] == "poison"  # type: ignore[arg-type]
    assert (letter["position"], letter["source"]) == (1, f"day={day(0)}/part-0.parquet")
    assert (letter["stage"], letter["reason"], letter["attempts"]) == ("process", "worker_died", 2)
    assert result.counts == {"_undecoded": Counts(read=1, rejected=1)}
    assert result.files == ()


def test_a_letter_of_batch_has_the_line_of_its_executor(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0), visit("bad", 0, action="raise")])
    prepared = project.prepare()
    (letter,) = dead_letters(project, UnitRunner(prepared.job).run(single(prepared)).rejects)
    assert letter["code_file"] == "executors/visit/executor.py"
    assert letter["code_text"] == 'raise ValueError("this record is said to be bad")'
    assert f"{letter['code_file']}:{letter['code_line']} in " in str(letter["code_trace"])


def test_such_a_record_of_a_late_day_is_left_to_the_run_that_owns_the_day(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    project.write(1, [visit("poison", 1)])
    prepared = project.prepare(window(0, 1))
    late = records(single(prepared))[1]
    assert late.ranges[0].day == str(day(1))
    result = UnitRunner(prepared.job).reject(late, "worker_died", "died twice")
    assert result.rejects == ()
    assert result.counts == {"_undecoded": Counts(read=1, out_of_window=1)}


def test_dead_letters_of_typed_sources_hold_the_row_as_json(tmp_path: Path) -> None:
    project = Visits(tmp_path, source=TYPED)
    schema = TYPED_SCHEMA.append(pa.field("undeclared", pa.string()))
    project.write_typed(0, [visit("ok", 0), visit("bad", 0, action="raise", undeclared="x")], schema)
    prepared = project.prepare()
    result = UnitRunner(prepared.job).run(single(prepared))
    (letter,) = dead_letters(project, result.rejects)
    assert letter["value_format"] == "columns"
    assert msgspec.json.decode(letter["value"]) == {  # type: ignore[arg-type]
        "event_type": "visit",
        "event_id": "bad",
        "at": "2026-03-01 12:00:00+00:00",
        "back": 0,
        "action": "raise",
    }
    assert letter["executor"] == prepared.pipeline.executors["visit"].version
    assert letter["position"] == 1


def guided(root: Path) -> Visits:
    project = Visits(root, lookups=LOOKUPS)
    pq.write_table(pa.table({"id": ["g"], "name": ["Ada"]}), root / "guides.parquet")
    event = {"event_type": "guided", "event_id": "with", "at": "2026-03-01T12:00:00Z"}
    project.write(0, [{**event, "guide": "g"}, {**event, "event_id": "without", "guide": "?"}, visit("a", 0)])
    return project


def test_a_lookup_that_changed_under_the_run_stops_it(tmp_path: Path) -> None:
    project = guided(tmp_path)
    prepared = project.prepare()
    os.utime(tmp_path / "guides.parquet", (1_000, 1_000))
    with pytest.raises(RunError, match=r"lookup guides \(.*guides\.parquet\) changed after the run was planned\. Try"):
        UnitRunner(prepared.job)


def test_workers_read_the_version_of_a_table_that_the_driver_found(tmp_path: Path) -> None:
    project = Visits(tmp_path, lookups=LOOKUPS.replace("parquet", "delta", 1))
    table = tmp_path / "guides.parquet"
    write_deltalake(table, pa.table({"id": ["g"], "name": ["Ada"]}))
    event = {"event_type": "guided", "event_id": "with", "at": "2026-03-01T12:00:00Z"}
    project.write(0, [{**event, "guide": "g"}])
    prepared = project.prepare()
    write_deltalake(table, pa.table({"id": ["g"], "name": ["Grace"]}), mode="overwrite")
    runner = UnitRunner(prepared.job)
    written = runner.run(single(prepared)).files
    rows = pa.concat_tables(
        pq.read_table(tmp_path / "tables/visits" / file.path, partitioning=None) for file in written
    )
    assert rows["guide"].to_pylist() == ["Ada"]
    assert prepared.job.lookups["guides"].startswith("0-")
    assert project.prepare().job.lookups["guides"].startswith("1-")


def test_a_unit_finished_with_another_lookup_runs_again_for_the_types_that_use_it(tmp_path: Path) -> None:
    project = guided(tmp_path)
    first = project.prepare()
    runner = UnitRunner(first.job)
    runner.publish(single(first), runner.run(single(first)))
    assert len(project.prepare().done) == 1
    pq.write_table(pa.table({"id": ["g"], "name": ["Grace"]}), tmp_path / "guides.parquet")
    os.utime(tmp_path / "guides.parquet", (1_000, 1_000))
    again = project.prepare()
    assert again.done == {}
    assert list(again.job.rests.values()) == [frozenset({"guided"})]


def test_units_finished_for_another_window_are_not_reused(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    first = project.prepare(window(0, 1))
    runner = UnitRunner(first.job)
    runner.publish(single(first), runner.run(single(first)))
    assert len(project.prepare(window(0, 1)).done) == 1
    assert project.prepare(BatchArguments(day(0), day(2), missing_days="leave")).done == {}
    assert project.prepare().done == {}


def test_a_unit_is_another_one_when_types_or_days_that_are_left_out_change(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    prepared = project.prepare()
    scope, unit = prepared.job.scope, prepared.source.units[0]
    others = [scope, replace(scope, types=frozenset({"visit", "other"})), replace(scope, left_out=frozenset({"x"}))]
    keys = {unit.key(unit_context(prepared.pipeline, each)) for each in others}
    assert len(keys) == 3


def _no_token(prepared: Prepared) -> None:
    Path(prepared.job.token.uri, prepared.job.token.path).unlink()


def _another_token(prepared: Prepared) -> None:
    Path(prepared.job.token.uri, prepared.job.token.path).write_text("of another machine")


@pytest.mark.parametrize(
    ("disturb", "reason"), [(_no_token, "cannot"), (_another_token, "the file there has another content")]
)
def test_a_worker_that_sees_another_storage_refuses(
    tmp_path: Path, disturb: Callable[[Prepared], None], reason: str
) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    prepared = project.prepare()
    disturb(prepared)
    message = rf"node \S+ does not see what the driver wrote to {tmp_path}/tables/visits \(.*\): {reason}.* Try: use"
    with pytest.raises(StorageNotShared, match=message):
        UnitRunner(prepared.job)


def test_a_worker_with_another_executor_refuses_and_names_the_module(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    prepared = project.prepare()
    row = tmp_path / "executors/visit_row.py"
    row.write_text(row.read_text() + "\n# another thought\n")
    with pytest.raises(
        RunError, match=r"the sources of visit differs: modules executors\.visit_row: planned \w+, here"
    ):
        UnitRunner(prepared.job)


def test_an_error_in_a_unit_leaves_no_files(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    for number in (0, 1):
        project.write(number, [visit("a", number), visit("bad", number, action="raise")])
    prepared = project.prepare()
    runner = UnitRunner(prepared.job)
    project.write(1, [visit("other", 1), visit("longer", 1)])
    with pytest.raises(TriviumError, match="the file changed while the run was on"):
        runner.run(single(prepared))
    assert list(Path(project.table).rglob("*.parquet")) + list(Path(project.letters).rglob("*.parquet")) == []


def test_relative_and_absolute_paths_are_the_same_run(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    relative = project.compile()
    project.config.write_text(project.config.read_text().replace("../", f"{tmp_path}/"))
    absolute = project.compile()
    assert absolute.config.table == relative.config.table
    assert absolute.config.batch == relative.config.batch
    assert absolute.plan.logic_short == relative.plan.logic_short
    assert relative.config.table.path == project.table


def test_the_job_does_not_show_its_secrets(tmp_path: Path) -> None:
    project = Visits(tmp_path)
    project.write(0, [visit("a", 0)])
    job = replace(project.prepare().job, secrets={"TOKEN": "hunter2"})
    assert "hunter2" not in repr(job)
