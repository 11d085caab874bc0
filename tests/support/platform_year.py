"""A platform of several teams in miniature: event types whose executors change, and what readers see after it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.support.own_executors import forget_executors
from tests.support.visits import in_this_process
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.core.clock import SystemClock
from trivium.delivery.coverage.scope import Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.merge import query as merge
from trivium.operations import retirement
from trivium.operations.replay.parked import Processed, process_parked
from trivium.runtimes.batch.prepare import BatchArguments
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.run import run_batch

FIRST = date(2026, 1, 1)
_EXECUTOR = """
from datetime import datetime

from trivium import Event, Executor, NormalizedEvent, {imports}


class Given(Event, tag="{name}"):
    event_id: str
    at: datetime
    value: int


class Made(NormalizedEvent):
    {columns}


class Makes(Executor[Given, Made]):
    def process(self, event: Given) -> Made:
        if event.value < 0:
            raise ValueError("values are not negative")
        return Made(event_id=event.event_id, event_time=event.at, {values})
"""
_CONFIG = """
pipeline: platform
executors: [{executors}]
table: {{type: delta, path: ../tables/events}}
dead_letters: {{type: delta, path: ../tables/events_dead_letters}}
breaker: {breaker}
batch:
  source: {{type: parquet, path: ../data, value_column: value, day_column: day}}
  workers: 1
"""


class Platform:
    """A project folder with an archive of `days`, in which each type has two events a day and one that is bad."""

    def __init__(self, root: Path, types: Sequence[str], days: int = 3) -> None:
        self.root, self.config = root, root / "configs" / "platform.yaml"
        self._archive(types, days)
        (root / "executors").mkdir()
        (root / "executors" / "__init__.py").touch()

    def release(self, name: str, *, factor: int = 1, columns: Mapping[str, str] | None = None) -> None:
        """Write a type's executor: `columns` are its own ones and their annotations, each the value times `factor`."""
        own = columns or {f"{name}_value": "int"}
        folder = self.root / "executors" / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        text = _EXECUTOR.format(
            name=name,
            imports="Int32",
            columns="\n    ".join(f"{column}: {kind}" for column, kind in own.items()),
            values=", ".join(f"{column}=event.value * {factor}" for column in own),
        )
        (folder / "executor.py").write_text(textwrap.dedent(text).lstrip())
        # Compiled files are told apart by second and size, and releases here differ in neither.
        rmtree(folder / "__pycache__", ignore_errors=True)

    def break_type(self, name: str) -> None:
        """Release an executor of a type that fails on every event."""
        self.release(name)
        path = self.root / "executors" / name / "executor.py"
        path.write_text(path.read_text().replace("if event.value < 0", "if event.value < 1_000"))

    def list_types(self, *names: str, breaker: str = "off") -> None:
        """Write the pipeline file over these types."""
        self.config.parent.mkdir(exist_ok=True)
        listed = ", ".join(f"{{type: {name}}}" for name in names)
        self.config.write_text(_CONFIG.format(executors=listed, breaker=breaker))

    def compile(self) -> Pipeline:
        """The pipeline as its files are now."""
        forget_executors()
        return compile_file(self.config)

    def run(self, *types: str, days: tuple[int, int] | None = None) -> BatchReport:
        """A batch run in this process, of these types (none: of all) and event days."""
        start, end = (None, None) if days is None else (day(days[0]), day(days[1]))
        with in_this_process():
            return run_batch(self.compile(), BatchArguments(start, end, types=types))

    def replay(self, name: str) -> Processed:
        """Process what is parked of a type, in this process."""
        with in_this_process():
            return process_parked(self.compile(), name, SystemClock())

    def retire(self, name: str, days: tuple[int, int] | None = None) -> int:
        """Remove a type's rows; returns how many there were."""
        window = None if days is None else Window(day(days[0]), day(days[1]))
        plan = retirement.plan_retirement(self.compile(), name, window)
        retirement.carry_out(plan, SystemClock())
        return plan.total

    @property
    def table(self) -> str:
        """The table's path."""
        return str(self.root / "tables" / "events")

    def rows(self) -> dict[str, pa.Table]:
        """The merged reading: every column of every row, by event type, in the order of identities."""
        read = merge.read(self.table)
        by_type = {}
        for name in pc.unique(read["_event_type"]).to_pylist():
            own = read.filter(pc.equal(read["_event_type"], name)).sort_by("event_id")
            by_type[name] = own.select(
                sorted(column for column in own.column_names if own[column].null_count < len(own))
            )
        return by_type

    def values(self, name: str, column: str | None = None) -> list[Any]:
        """One column of a type's rows, in the order of identities."""
        return self.rows()[name][column or f"{name}_value"].to_pylist()

    def letters(self) -> dict[str, int]:
        """Dead letters that count, by event type."""
        found = dead_letters.read(f"{self.table}_dead_letters", self.table)
        types = found["event_type"].to_pylist()
        return {name: types.count(name) for name in sorted(set(types))}

    def _archive(self, types: Sequence[str], days: int) -> None:
        for number in range(days):
            events = [
                {"event_type": name, "event_id": f"{name}-{number}-{at}", "at": f"{day(number)}T12:00:00Z", "value": at}
                for name in types
                for at in (1, 2, -1)
            ]
            path = self.root / "data" / f"day={day(number)}" / "part-0.parquet"
            path.parent.mkdir(parents=True)
            values = [msgspec.json.encode(event) for event in events]
            pq.write_table(pa.table({"value": pa.array(values, pa.binary())}), path)


def day(number: int) -> date:
    """The `number`th day of the archive, from 0."""
    return FIRST + timedelta(days=number)
