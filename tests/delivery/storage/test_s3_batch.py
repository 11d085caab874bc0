"""A batch run with everything on S3: source, lookup, table, dead letters, resume markers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from tests.support.s3_server import VARIABLES, Bucket
from tests.support.sample_table import InstantClock
from tests.support.terminal import in_own_process
from tests.support.visits import LOOKUPS, Visits, in_this_process, visit
from trivium.cli.main import program
from trivium.config.compile import compile_file
from trivium.connectors import open_source
from trivium.core.errors import DeliveryError, SourceError
from trivium.delivery.storage.s3_access import storage_options
from trivium.delivery.storage.storage import Storage
from trivium.runtimes.batch.run import run_batch

DAYS = 3


class OnS3(Visits):
    """The visits with all their data in a bucket."""

    def __init__(self, root: Path, uri: str) -> None:
        super().__init__(root, lookups=LOOKUPS, unit_rows=4)
        self._uri = uri
        text = self.config.read_text()
        self.config.write_text(text.replace("../", f"{uri}/"))
        pq.write_table(pa.table({"id": ["g1"], "name": ["Ada"]}), root / "guides.parquet")
        for number in range(DAYS):
            guided = {**visit(f"g{number}", number), "event_type": "guided"}
            events = [visit(f"a{number}", number), {**guided, "guide": "g1"}, {**guided, "event_id": f"n{number}"}]
            self.write(number, [*events, visit(f"bad{number}", number, action="raise")])
        self.upload()

    def upload(self) -> None:
        for file in sorted(self.root.rglob("*.parquet")):
            Storage(self._uri).publish(file.relative_to(self.root).as_posix(), file.read_bytes())

    @property
    def table(self) -> str:
        return f"{self._uri}/tables/visits"

    @property
    def letters(self) -> str:
        return f"{self._uri}/tables/visits_dead_letters"

    def rows(self) -> list[tuple[str, str | None]]:
        with duckdb.connect() as connection:
            table = DeltaTable(self.table, storage_options=storage_options(self.table))
            connection.register("visits", table.to_pyarrow_dataset())
            return connection.sql("SELECT event_id, guide FROM visits ORDER BY ALL").fetchall()


def expected() -> list[tuple[str, str | None]]:
    return sorted(row for n in range(DAYS) for row in ((f"a{n}.0", None), (f"g{n}", "Ada"), (f"n{n}", None)))


@pytest.fixture
def project(s3: Bucket, tmp_path: Path) -> OnS3:
    return OnS3(tmp_path, f"{s3.uri}/warehouse")


def test_actors_of_a_cluster_of_their_own_run_it_and_the_command_line_reads_it(project: OnS3, s3: Bucket, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = in_own_process("run", "batch", str(project.config), folder=project.root)
    assert done.returncode == 0, done.stderr
    assert project.rows() == expected()
    read = CliRunner().invoke(program, ["read", project.table, "--output", str(project.root / "rows.parquet")])
    assert read.exit_code == 0, read.output
    assert pq.read_table(project.root / "rows.parquet").num_rows == 3 * DAYS
    letters = CliRunner().invoke(program, ["dead-letters", "list", project.letters])
    assert letters.exit_code == 0, letters.output
    assert f"{DAYS} dead letters" in letters.output
    plan = CliRunner().invoke(program, ["plan", str(project.config)])
    assert project.table in plan.output, plan.output
    kept = [key.rpartition("_trivium/")[2] for key in s3.keys if "_trivium/" in key and not key.endswith("/")]
    assert sorted(each.partition("/")[0] for each in kept) == ["claims", "coverage", "plans"]
    told = done.stdout + done.stderr + read.output + letters.output + plan.output
    assert VARIABLES["AWS_SECRET_ACCESS_KEY"] not in told


def test_a_run_that_stopped_before_its_commit_resumes_from_its_finished_units(
    project: OnS3, monkeypatch: pytest.MonkeyPatch
):
    clock, pipeline = InstantClock(), compile_file(project.config)
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "dead_letters.before_commit:raise")
    with in_this_process(), pytest.raises(DeliveryError):
        run_batch(pipeline, clock=clock)
    monkeypatch.delenv("TRIVIUM_FAULT_POINT")
    assert project.rows() == []
    with in_this_process():
        report = run_batch(pipeline, clock=clock)
    assert report.units_reused == report.units == DAYS
    assert project.rows() == expected()


def test_a_source_object_replaced_after_the_plan_is_said(project: OnS3, s3: Bucket):
    pipeline = compile_file(project.config)
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    reader = open_source(pipeline.config.batch.source, declarations, "event_type")
    (unit,) = reader.plan().units(1000, None)
    assert sum(len(each.days) for each in reader.batches(unit)) == unit.rows == 4 * DAYS
    replaced = project.write(0, [visit("another", 0)])
    Storage(f"{s3.uri}/warehouse").publish(replaced.relative_to(project.root).as_posix(), replaced.read_bytes())
    with pytest.raises(SourceError, match=r"s3://.*part-0.parquet: the file changed while the run was on"):
        list(reader.batches(unit))
