"""A project for batch runs: visits, some late, some with rows on several days, some dropped or rejected."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.connectors.archive.units import Unit
from trivium.core.clock import SystemClock
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.merge import query as merge
from trivium.engine.outcomes import Counts
from trivium.runtimes.batch import run as batch_run
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.prepare import BatchArguments, Prepared, prepare
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.unit_runner import UnitRunner

FIRST = date(2026, 3, 1)
VISIT = '''
from datetime import datetime, timedelta

from executors.visit_row import VisitRow
from trivium import Event, Executor


class Visit(Event, tag="visit"):
    event_id: str
    at: datetime
    back: int = 0
    action: str | None = None


class VisitExecutor(Executor[Visit, VisitRow]):
    """One row for the day of the visit and one for each of the `back` days before it."""

    def process(self, event: Visit) -> list[VisitRow] | None:
        if event.action == "raise":
            raise ValueError("this record is said to be bad")
        if event.action == "drop":
            return None
        days = range(event.back + 1)
        return [VisitRow(event_id=f"{event.event_id}.{n}", event_time=event.at - timedelta(days=n)) for n in days]
'''
GUIDED = '''
from datetime import datetime

from executors.visit_row import VisitRow
from trivium import Enrichment, Event, Executor, Row


class Guide(Row):
    name: str


class Guided(Event, tag="guided"):
    event_id: str
    at: datetime
    guide: str | None = None


class GuidedExecutor(Executor[Guided, VisitRow]):
    """A visit with the name of its guide."""

    who = Enrichment(Guide, key="guide", lookup="guides", missing="null")

    def process(self, event: Guided, who: Guide | None) -> VisitRow:
        return VisitRow(event_id=event.event_id, event_time=event.at, guide=who.name if who else None)
'''
ROW = """
from trivium import NormalizedEvent


class VisitRow(NormalizedEvent):
    guide: str | None = None
"""
CONFIG = """
pipeline: visits
executors: [%(executors)s]
%(lookups)s
table: {type: delta, path: ../tables/visits}
dead_letters: {type: delta, path: ../tables/visits_dead_letters}
batch:
  source: {type: parquet, path: ../data%(source)s}
  workers: %(workers)d
  unit_rows: %(unit_rows)d
  late_days: %(late_days)d
"""
LOOKUPS = "lookups: {guides: {type: parquet, path: ../guides.parquet, key: id}}"
RAW = ", value_column: value, day_column: day"
TYPED = ", day_column: day"
TYPED_SCHEMA = pa.schema(
    [
        ("event_type", pa.string()),
        ("event_id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("back", pa.int64()),
        ("action", pa.string()),
    ]
)
Fields = Mapping[str, Any]


def day(number: int) -> date:
    """The `number`th day of the archive, from 0."""
    return FIRST + timedelta(days=number)


def window(start: int, end: int) -> BatchArguments:
    """A run over the event days from the `start`th to before the `end`th."""
    return BatchArguments(day(start), day(end))


def visit(name: str, on: int, **fields: Any) -> dict[str, Any]:
    """A visit at noon of a day."""
    at = datetime.combine(day(on), datetime.min.time(), UTC) + timedelta(hours=12)
    return {"event_type": "visit", "event_id": name, "at": at, **fields}


@dataclass(frozen=True)
class Content:
    """What a run or several left: rows that are no lineage, and dead letters that count, without stamps."""

    rows: list[tuple[Any, ...]]
    letters: list[tuple[Any, ...]]

    @property
    def ids(self) -> list[str]:
        """The rows' identities, sorted."""
        return sorted(row[0] for row in self.rows)


class Visits:
    """A project folder with an archive and a table."""

    def __init__(self, root: Path, *, source: str = RAW, lookups: str = "", **batch: int) -> None:
        self.root, self.config = root, root / "configs" / "visits.yaml"
        self.visit_source = root / "executors/visit/executor.py"
        files = {
            "executors/__init__.py": "",
            "executors/visit_row.py": ROW,
            "executors/visit/__init__.py": "",
            "executors/visit/executor.py": VISIT,
            "executors/guided/__init__.py": "",
            "executors/guided/executor.py": GUIDED,
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(textwrap.dedent(text).lstrip())
        self.configure(source=source, lookups=lookups, **batch)

    def configure(self, *, source: str = RAW, lookups: str = "", **batch: int) -> None:
        """Write the pipeline file."""
        executors = "{type: visit}, {type: guided}" if lookups else "{type: visit}"
        settings = {"workers": 1, "unit_rows": 1000, "late_days": 1, **batch}
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(CONFIG % {"executors": executors, "lookups": lookups, "source": source, **settings})

    @property
    def table(self) -> str:
        """The table's path."""
        return str(self.root / "tables" / "visits")

    @property
    def letters(self) -> str:
        """The dead-letter table's path."""
        return str(self.root / "tables" / "visits_dead_letters")

    def write(self, number: int, events: Sequence[Fields], name: str = "part-0") -> Path:
        """Events of a source day as JSON; `{"value": b"…"}` stands for itself."""
        values = [event["value"] if "value" in event else msgspec.json.encode(event) for event in events]
        return self._written(number, pa.table({"value": pa.array(values, pa.binary())}), name)

    def write_typed(self, number: int, events: Sequence[Fields], schema: pa.Schema = TYPED_SCHEMA) -> Path:
        """Events of a source day as columns."""
        rows = [{"back": 0, "action": None, **event} for event in events]
        return self._written(number, pa.Table.from_pylist(rows, schema=schema), "part-0")

    def _written(self, number: int, table: pa.Table, name: str) -> Path:
        path = self.root / "data" / f"day={day(number)}" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=3)
        return path

    def compile(self) -> Pipeline:
        """The pipeline as its files are now."""
        return compile_file(self.config)

    def prepare(self, arguments: BatchArguments | None = None) -> Prepared:
        """A run that may start."""
        return prepare(self.compile(), arguments or BatchArguments(), SystemClock())

    def run(self, arguments: BatchArguments | None = None) -> BatchReport:
        """A whole run whose units are run by this process instead of by actors."""
        with in_this_process():
            return batch_run.run_batch(self.compile(), arguments)

    def run_on_ray(self, arguments: BatchArguments | None = None) -> BatchReport:
        """A whole run on the cluster this process is connected to."""
        return batch_run.run_batch(self.compile(), arguments)

    def content(self) -> Content:
        """What the table and its dead letters hold now, as readers see it."""
        with duckdb.connect() as connection:
            connection.register("visits", DeltaTable(self.table).to_pyarrow_dataset())
            rows = connection.sql("SELECT event_id, epoch_us(event_time), guide FROM visits ORDER BY ALL").fetchall()
        letters = dead_letters.read(self.letters, self.table).to_pylist()
        names = ("event_type", "stage", "reason", "error", "value", "source", "position", "source_day")
        return Content(rows, sorted((tuple(row[name] for name in names) for row in letters), key=repr))

    def merged(self) -> pa.Table:
        """The table through the merge policy."""
        return merge.read(self.table)


@contextmanager
def in_this_process() -> Iterator[None]:
    """Host the one worker of batch runs in this process: the same units, files and commits, without Ray."""
    with (
        patch.object(batch_run, "connected", lambda _address, _cpus: nullcontext()),
        patch.object(batch_run.ray, "cluster_resources", dict),
        patch.object(batch_run, "run_pool", _run_here),
    ):
        yield


def _run_here(units: Sequence[Unit], job: Job, _workers: int, _deadline: float) -> Iterator[tuple[str, UnitResult]]:
    runner = UnitRunner(job)
    for unit in units:
        result = runner.run(unit)
        runner.publish(unit, result)
        yield unit.key(job.context), result


def balance(*reports: BatchReport) -> Counts:
    """The balance of several runs, added up."""
    total = Counts()
    for report in reports:
        assert all(counts.balanced() for counts in report.counts.values()), report
        total.add(report.total)
    return total
