"""A project made for breaking: events that behave, raise, kill their process or never return."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from tests.support.own_executors import forget_executors
from tests.support.sample_table import InstantClock
from tests.support.visits import in_this_process
from trivium.config.compile import compile_file
from trivium.core.errors import TriviumError
from trivium.runtimes.batch.run import run_batch

EXECUTOR = '''
import ctypes
import os
import signal
import time
from datetime import datetime

import pyarrow as pa

from executors.tick_row import TickRow
from trivium import Event, Executor
from trivium.engine import type_worker


def broken(*_):
    raise pa.ArrowInvalid("a fault of the engine")


class Tick(Event, tag="tick"):
    event_id: str
    at: datetime
    value: int
    action: str | None = None


class TickExecutor(Executor[Tick, TickRow]):
    """Doubles a value; `action` says what else happens, as a path: it waits until there is a file."""

    def process(self, event: Tick) -> TickRow | None:
        if event.action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if event.action == "exit":
            os._exit(0)
        if event.action == "segfault":
            ctypes.string_at(0)
        if event.action == "hang":
            time.sleep(3600)
        if event.action == "memory":
            raise MemoryError("no room")
        if event.action == "interrupt":
            raise KeyboardInterrupt
        if event.action == "surrogate":
            raise ValueError("unknown \\ud83d")
        if event.action == "engine":
            type_worker.Emitted = broken
        if event.action == "raise":
            raise ValueError("this record is said to be bad")
        while event.action and event.action.startswith("/") and not os.path.exists(event.action):
            time.sleep(0.05)
        if event.action == "slow":
            time.sleep(0.5)
        if event.action == "drop":
            return None
        return TickRow(event_id=event.event_id, event_time=event.at, value=event.value, doubled=2 * event.value)
'''
ROW = """
from trivium import NormalizedEvent


class TickRow(NormalizedEvent):
    value: int
    doubled: int
"""
CONFIG = """
pipeline: ticks
executors:
  - {type: tick}
table: {type: delta, path: ../tables/ticks}
dead_letters: {type: delta, path: ../tables/ticks_dead_letters}
batch:
  source: {type: parquet, path: ../data, value_column: value, day_column: day}
  workers: 2
  unit_rows: %(unit_rows)d
  unit_deadline_seconds: %(deadline)s
  record_deadline_seconds: %(record_deadline)s
"""
DRIVE = """
import json, logging, os, sys
from datetime import date
import ray
from trivium.config.compile import compile_file
from trivium.core.errors import TriviumError
from trivium.runtimes.batch.prepare import BatchArguments
from trivium.runtimes.batch.run import run_batch

point = os.environ.get("TRIVIUM_FAULT_POINT")
armed = {"runtime_env": {"env_vars": {"TRIVIUM_FAULT_POINT": point}}} if point else {}
ray.init(log_to_driver=False, logging_level=logging.WARNING, **armed)
try:
    report = run_batch(compile_file(sys.argv[1]), BatchArguments(*map(date.fromisoformat, sys.argv[2:])))
except TriviumError as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1)
total = report.total
print("REPORT", json.dumps({
    "version": report.version, "generation": report.generation, "reused": report.units_reused, "units": report.units,
    "read": total.read, "rows": total.emitted_rows, "dropped": total.dropped, "rejected": total.rejected,
}))
"""
CONTENT = "SELECT event_id, epoch_us(event_time), value, doubled FROM ticks ORDER BY ALL"
FIRST_DAY = date(2026, 3, 1)


@dataclass(frozen=True)
class Outcome:
    """How a driver ended: exit code (negative: the signal), what it reported, what it said."""

    code: int
    report: dict[str, int]
    said: str


class Project:
    """A project folder with data, its table, and drivers to run and to break."""

    def __init__(self, root: Path, address: str, *, unit_rows: int = 500, deadline: float = 60.0) -> None:
        self.root, self._address, self._group_rows = root, address, min(unit_rows, 500)
        self.config = root / "configs" / "ticks.yaml"
        files = {
            "executors/__init__.py": "",
            "executors/tick_row.py": ROW,
            "executors/tick/__init__.py": "",
            "executors/tick/executor.py": EXECUTOR,
            "configs/ticks.yaml": CONFIG % {"unit_rows": unit_rows, "deadline": deadline, "record_deadline": 4},
        }
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())

    @property
    def table(self) -> str:
        """The table's path."""
        return str(self.root / "tables" / "ticks")

    @property
    def dead_letters(self) -> str:
        """The dead-letter table's path."""
        return str(self.root / "tables" / "ticks_dead_letters")

    def write_days(self, days: int, rows: int, actions: dict[int, str] | None = None) -> None:
        """`days` files of `rows` events; `actions` maps an event's number over all days to what it does."""
        for number in range(days):
            self.write_day(number, rows, actions or {})

    def write_day(self, number: int, rows: int, actions: dict[int, str]) -> Path:
        """The file of one day."""
        day = FIRST_DAY + timedelta(days=number)
        events = [
            {"event_type": "tick", "event_id": f"e{i}", "at": f"{day}T12:00:00Z", "value": i, "action": actions.get(i)}
            for i in range(number * rows, (number + 1) * rows)
        ]
        path = self.root / "data" / f"day={day}" / "part-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = [msgspec.json.encode({k: v for k, v in event.items() if v is not None}) for event in events]
        pq.write_table(pa.table({"value": pa.array(values, pa.binary())}), path, row_group_size=self._group_rows)
        return path

    def start(self, days: tuple[int, ...] = (), **environ: str) -> subprocess.Popen[str]:
        """A driver as a process of its own, connected to the tests' cluster; `days` are the first and past the last."""
        env = {**os.environ, "RAY_ADDRESS": self._address, **environ}
        dates = [(FIRST_DAY + timedelta(days=number)).isoformat() for number in days]
        command = [sys.executable, "-c", DRIVE, str(self.config), *dates]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=env, text=True, cwd=self.root, **pipes)

    def finish(self, process: subprocess.Popen[str], timeout: float = 240.0) -> Outcome:
        """Wait for a driver's end."""
        out, said = process.communicate(timeout=timeout)
        reports = [line.removeprefix("REPORT ") for line in out.splitlines() if line.startswith("REPORT ")]
        report = json.loads(reports[0]) if process.returncode == 0 else {}
        return Outcome(process.returncode, report, said)

    def run(self, days: tuple[int, ...] = (), **environ: str) -> Outcome:
        """Run a driver to its end."""
        return self.finish(self.start(days, **environ))

    def run_here(self) -> Outcome:
        """Run in this process, without Ray, and report as a driver does."""
        forget_executors()
        # Bytecode is checked by second and size: a source written again at once would not be read.
        with in_this_process(), patch.object(sys, "dont_write_bytecode", True):
            try:
                report = run_batch(compile_file(self.config), clock=InstantClock())
            except TriviumError as error:
                return Outcome(1, {}, f"{type(error).__name__}: {error}")
        total = report.total
        figures = {"units": report.units, "reused": report.units_reused, "generation": report.generation}
        return Outcome(0, figures | {"rows": total.emitted_rows, "rejected": total.rejected}, "")

    def run_well_here(self) -> dict[str, int]:
        """Run in this process to a good end; return the report."""
        outcome = self.run_here()
        assert outcome.code == 0, outcome.said
        return outcome.report

    def run_well(self, days: tuple[int, ...] = (), **environ: str) -> dict[str, int]:
        """Run a driver that must succeed; its report."""
        outcome = self.run(days, **environ)
        assert outcome.code == 0, outcome.said
        return outcome.report

    def content(self) -> list[tuple[object, ...]]:
        """The table's rows over all columns that are not lineage, in an order that depends on nothing else."""
        with duckdb.connect() as connection:
            connection.register("ticks", DeltaTable(self.table).to_pyarrow_dataset())
            return connection.sql(CONTENT).fetchall()

    def expected(self, total: int, without: set[int] | frozenset[int] = frozenset()) -> list[str]:
        """The event ids of an undisturbed run, sorted as `content` is."""
        return sorted(f"e{i}" for i in range(total) if i not in without)

    def ids(self) -> list[str]:
        """The event ids in the table, each as often as it is there."""
        return sorted(str(row[0]) for row in self.content())

    def files_whole(self) -> None:
        """I4: every file in the log exists, opens, and has its recorded rows."""
        table = DeltaTable(self.table)
        for action in pa.table(table.get_add_actions(flatten=True)).to_pylist():
            found = pq.read_metadata(f"{self.table}/{action['path']}")
            assert found.num_rows == action["num_records"], action["path"]

    def finished_units(self) -> int:
        """How many resume markers there are."""
        return len(list(Path(self.table, "_trivium", "runs").rglob("*.json")))

    def wait_for_units(self, count: int, process: subprocess.Popen[str], seconds: float = 90.0) -> None:
        """Wait until a driver has finished some units."""
        end = time.monotonic() + seconds
        while self.finished_units() < count:
            assert process.poll() is None, f"the driver ended early: {process.communicate()}"
            assert time.monotonic() < end, "no units were finished in time"
            time.sleep(0.05)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, and wait for the end."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
