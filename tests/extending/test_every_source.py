"""Every kind of batch source under the commands of an operator: check, plan, parity, a restart, a deadly record."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import deltalake
import pyarrow as pa
import pytest

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests
from tests.support.terminal import Trivium
from tests.support.visit_log import add_bodies, body
from tests.support.visits import in_this_process
from trivium.config.compile import compile_file
from trivium.core.clock import SystemClock
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.parity.inputs import InputSpec, inputs_of
from trivium.parity.run import FAST, check_parity
from trivium.runtimes.batch.prepare import BatchArguments, Prepared, prepare
from trivium.runtimes.batch.run import run_batch
from trivium.runtimes.batch.unit_runner import UnitRunner

PROJECT = Path(__file__).parent / "project"
DAYS: Final = ("2026-03-01", "2026-03-02")


class Archive:
    """A project with an archive of one kind, to which documents are added day by day."""

    def __init__(self, root: Path, source: str) -> None:
        self.root, self.config, self._parts = root, root / "configs/visits.yaml", 0
        text = self.config.read_text().replace("{type: parquet, path: ../data/visits, value_column: value}", source)
        self.config.write_text(text.replace("workers: 1", "workers: 1\n  unit_rows: 1"))

    def add(self, day: str, *visits: str) -> None:
        """Add the visits of a day; a name in brackets stands for itself."""
        self._parts += 1
        self.write(day, [each.encode() if each.startswith("{") else body(each, day) for each in visits])

    def write(self, day: str, bodies: Sequence[bytes]) -> None:
        """Write documents of a day."""
        raise NotImplementedError

    def prepared(self) -> Prepared:
        """Return a run that may start."""
        return prepare(compile_file(self.config), BatchArguments(), SystemClock())

    def rows(self) -> list[str]:
        """Return the rows of the table, by identity."""
        table = deltalake.DeltaTable(str(self.root / "data/table")).to_pyarrow_table(columns=["event_id"])
        return sorted(table["event_id"].to_pylist())


class Lines(Archive):
    source = "{type: ndjson, path: ../data/lines, day_column: day}"

    def write(self, day: str, bodies: Sequence[bytes]) -> None:
        folder = self.root / f"data/lines/day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self._parts}.ndjson").write_bytes(b"".join(each + b"\n" for each in bodies))


class Table(Archive):
    source = "{type: delta, path: ../data/warehouse, value_column: value, day_column: day}"

    def write(self, day: str, bodies: Sequence[bytes]) -> None:
        rows = pa.table({"value": pa.array(bodies, pa.binary()), "day": pa.array([day] * len(bodies))})
        deltalake.write_deltalake(str(self.root / "data/warehouse"), rows, mode="append", partition_by=["day"])


class Own(Archive):
    source = '{type: "sources.sqlite:SqliteSource", path: ../data/log.sqlite, table: visits, day_column: day}'

    def write(self, day: str, bodies: Sequence[bytes]) -> None:
        add_bodies(self.root / "data/log.sqlite", day, bodies)


@pytest.fixture(autouse=True)
def forget_plugins() -> Iterator[None]:
    """Forget the lookups and sources of the project, so that each test imports its own."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lookups", "sources")]:
        del sys.modules[name]


@pytest.fixture(params=[Lines, Table, Own])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    root = Path(shutil.copytree(PROJECT, tmp_path / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    (root / "data").mkdir()
    with closing(sqlite3.connect(root / "data/shops.sqlite")) as database, database:
        database.execute("CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT, city TEXT)")
    made = request.param(root, request.param.source)
    made.add(DAYS[0], "a", "b", "c")
    made.add(DAYS[1], "d", "e")
    return made  # type: ignore[no-any-return]


def test_check_and_plan_look_at_it(archive: Archive) -> None:
    checked = Trivium()("check", str(archive.config))
    assert (checked.exit_code, "all good" in checked.output) == (0, True), checked.output
    planned = Trivium()("plan", str(archive.config), "--format", "json")
    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.output)["source"]["rows"] == 5
    assert " 0 B" not in Trivium()("plan", str(archive.config)).output
    shutil.rmtree(archive.root / "data")
    (archive.root / "data").mkdir()
    checked = Trivium()("check", "--connect", str(archive.config))
    assert (checked.exit_code, "✗ batch.source: " in checked.output) == (1, True), checked.output


def test_parity_takes_its_records(archive: Archive) -> None:
    everything = InputSpec(sample=None, made_up=0)
    report = check_parity(archive.config, everything, FAST)
    assert report.holds
    inputs = inputs_of(compile_file(archive.config, runtime=None), everything)
    found = {each.value for each in inputs if DAYS[0] in each.origin or DAYS[1] in each.origin}
    assert found == {body(each, DAYS[0]) for each in "abc"} | {body(each, DAYS[1]) for each in "de"}


def test_a_restart_runs_what_is_left_and_what_changed(archive: Archive) -> None:
    prepared = archive.prepared()
    first, second = prepared.source.units
    runner = UnitRunner(prepared.job)
    runner.publish(first, runner.run(first))
    again = archive.prepared()
    assert list(again.done) == [first.key(again.job.context)]
    assert {unit.key(again.job.context) for unit in again.source.units} >= {second.key(again.job.context)}
    archive.add(DAYS[0], "late")
    changed = archive.prepared()
    read = sum(unit.rows for unit in changed.source.units if unit.key(changed.job.context) not in changed.done)
    assert read == (6 if isinstance(archive, Own) else 3), "files that are added leave the others as they are"


def test_a_run_takes_over_the_units_of_one_that_was_killed(archive: Archive) -> None:
    prepared = archive.prepared()
    runner, unit = UnitRunner(prepared.job), prepared.source.units[0]
    runner.publish(unit, runner.run(unit))
    with in_this_process():
        report = run_batch(compile_file(archive.config))
    assert (report.units, report.units_reused, report.total.read) == (2, 1, 5)
    assert archive.rows() == ["a", "b", "c", "d", "e"]


def test_a_record_is_read_alone_and_becomes_a_dead_letter(archive: Archive) -> None:
    prepared = archive.prepared()
    runner, unit = UnitRunner(prepared.job), prepared.source.units[0]
    one, rest = unit.halves()
    two, three = rest.halves()
    assert [runner.run(each).counts["visit"].emitted_inputs for each in (one, two, three)] == [1, 1, 1]
    rejected = runner.reject(two, "worker_died", "it died")
    (group,) = rejected.signatures
    assert (group.signature.reason, group.first.position) == ("worker_died", 1)


@pytest.mark.faults
def test_a_record_that_kills_its_worker_is_found(archive: Archive, ray_cluster: str) -> None:
    source = archive.root / "executors/visit/executor.py"
    deadly = '        if event.id == "deadly":\n            os._exit(7)\n        name, city ='
    source.write_text(
        source.read_text().replace("        name, city =", deadly).replace("from date", "import os\nfrom date")
    )
    archive.add(DAYS[1], "f", "deadly", "g")
    done = Trivium()("run", "batch", str(archive.config))
    assert done.exit_code == 0, done.output
    assert archive.rows() == ["a", "b", "c", "d", "e", "f", "g"]
    data = archive.root / "data"
    (letter,) = dead_letters.read(str(data / "dead_letters"), str(data / "table")).to_pylist()
    assert (letter["reason"], letter["value"]) == ("worker_died", body("deadly", DAYS[1]))
