"""Sources of the stream's fault projects: an executor that misbehaves, a configuration, a driver."""

EXECUTOR = '''
import os
import random
import signal
import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from executors.tick_row import TickRow
from trivium import Enrichment, Event, Executor, Int32, RejectError, Row
from trivium.engine import type_worker

# Whoever loads this says so: the tests stop and kill the processes that run records.
_pids = Path(__file__).parents[2] / "pids"
_pids.mkdir(exist_ok=True)
(_pids / str(os.getpid())).touch()


def broken(*_):
    raise pa.ArrowInvalid("a fault of the engine")


class Weight(Row):
    key: int
    weight: int


class Tick(Event, tag="tick"):
    event_id: str
    at: datetime
    value: int
    key: int = 0
    action: str | None = None
    small: Int32 | None = None
    ratio: float | None = None
    tags: tuple[str, ...] = ()


class TickExecutor(Executor[Tick, TickRow]):
    """Doubles a value; `action` says what else happens. A fickle record has another outcome at every attempt."""

    weight = Enrichment(Weight, key="key", missing="reject")

    def process(self, event: Tick, weight: Weight) -> TickRow | None:
        action = event.action
        if action == "fickle":
            action = random.choice(("raise", "drop", None))
        if action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "hang":
            time.sleep(3600)
        if action == "raise":
            raise RejectError("this record is said to be bad")
        if action == "memory":
            raise MemoryError("no room")
        if action == "interrupt":
            raise KeyboardInterrupt
        if action == "surrogate":
            raise ValueError("unknown \\ud83d")
        if action == "engine":
            type_worker.Emitted = broken
        if action == "slow":
            time.sleep(0.2)
        if action == "drop":
            return None
        return TickRow(event_id=event.event_id, event_time=event.at, value=event.value, doubled=2 * event.value)
'''
CONFIG = """
pipeline: ticks
executors:
  - {type: tick}
lookups:
  weight: {type: parquet, path: ../weights.parquet, key: key, refresh_seconds: 0.5}
table: {type: delta, path: ../tables/ticks}
dead_letters: {type: delta, path: ../tables/ticks_dead_letters}
breaker: off
batch:
  source: {type: parquet, path: ../data, value_column: value, day_column: day}
  workers: 1
streaming:
  source: {type: kafka, servers: "%(servers)s", topics: [%(topic)s], request_timeout_seconds: 5}
  workers: %(workers)s
  commit_interval_seconds: %(interval)s
  batch_deadline_seconds: 10
  record_deadline_seconds: 4
  drain_seconds: %(drain)s
"""
DRIVE = """
import json, logging, os, sys
import ray
from trivium.config.compile import compile_file
from trivium.core.errors import TriviumError
from trivium.runtimes.streaming.run import StreamArguments, run_streaming

logging.basicConfig(level=logging.WARNING)
variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
if point := os.environ.get("TRIVIUM_WORKER_FAULT_POINT"):
    variables["TRIVIUM_FAULT_POINT"] = point
given = {"runtime_env": {"env_vars": variables}} if variables else {}
ray.init(log_to_driver=False, logging_level=logging.WARNING, **given)
try:
    report = run_streaming(
        compile_file(sys.argv[1], runtime="streaming"), StreamArguments(until_caught_up="--until-caught-up" in sys.argv)
    )
except TriviumError as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1)
total = report.total
print("REPORT", json.dumps({
    "version": report.version, "generation": report.generation, "commits": report.commits, "holes": report.holes,
    "read": total.read, "rows": total.emitted_rows, "dropped": total.dropped, "rejected": total.rejected,
    "workers_lost": report.workers_lost,
}))
"""
