"""A stream's tables without broker and cluster: records polled, judged and committed in this process, types parked."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.own_executors import forget_executors
from tests.support.terminal import in_own_process
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.fetched import Fetched
from trivium.core.clock import SystemClock
from trivium.delivery.commit.parked_types import parked_by, record_parked
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.snapshot import Snapshot
from trivium.engine.decoding.packed_values import pack
from trivium.engine.steps import run_in_place
from trivium.engine.worker import Worker
from trivium.runtimes.streaming.epochs import EpochCommitter
from trivium.runtimes.streaming.start import adopt_partitions, open_tables, take_over
from trivium.runtimes.streaming.worker.epoch import Epoch, event_days
from trivium.runtimes.streaming.worker.merge_chunks import gather

PARTITION = "sales/0"
_EXECUTOR = """
from datetime import datetime

from trivium import Event, Executor, NormalizedEvent


class {name}Given(Event, tag="{tag}"):
    event_id: str
    at: datetime
    value: int


class {name}Made(NormalizedEvent):
    {tag}_value: int


class Makes{name}(Executor[{name}Given, {name}Made]):
    def process(self, event: {name}Given) -> {name}Made | None:
        {step}
        if event.value < 0:
            raise ValueError("values are not negative")
        if event.value == 0:
            return None
        return {name}Made(event_id=event.event_id, event_time=event.at, {tag}_value=event.value)
"""
_CONFIG = """
pipeline: shop
executors: [{type: order}, {type: refund}]
table: {type: delta, path: ../tables/sales}
dead_letters: {type: delta, path: ../tables/sales_dead_letters}
breaker: {ratio: 0.5, window_events: 20, least: 10, then: park}
streaming:
  source: {type: kafka, servers: "127.0.0.1:9", topics: [sales], request_timeout_seconds: 1}
"""


class ParkedStream:
    """A project of orders and refunds; the executor of refunds is broken at first."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root, root / "configs" / "shop.yaml"
        for name in ("executors", "configs", "executors/order", "executors/refund"):
            (root / name).mkdir(parents=True)
        for name in ("executors", "executors/order", "executors/refund"):
            (root / name / "__init__.py").touch()
        self.config.write_text(_CONFIG)
        self.release("order", "pass")
        self.release("refund", "raise KeyError('currency')")
        self._next, self._generation, self.parked = 0, 0, dict[str, str]()

    def release(self, tag: str, step: str = "pass") -> None:
        """Write a type's executor, which takes a step before all others."""
        text = _EXECUTOR.format(name=tag.title(), tag=tag, step=step)
        path = self.root / "executors" / tag / "executor.py"
        path.write_text(textwrap.dedent(text).lstrip())
        for compiled in (self.root / "executors" / tag).glob("__pycache__/*"):
            compiled.unlink()

    def compile(self) -> Pipeline:
        """The pipeline as its files are now."""
        forget_executors()
        sys.path[:] = [entry for entry in sys.path if entry != str(self.root)]
        return compile_file(self.config, runtime=None)

    def start(self, **parked: str) -> None:
        """Begin a run of the stream that holds these types back, each for a reason."""
        pipeline, clock = self.compile(), SystemClock()
        self._columns = open_tables(pipeline, clock)
        self._pipeline = pipeline.writing(self._columns)
        self._generation = take_over(pipeline, [PARTITION], clock)
        if not self._next:
            adopt_partitions(pipeline, self._generation, {PARTITION: 0}, {"sales": 1}, clock)
        assert pipeline.config.breaker != "off"
        for name, reason in parked.items():
            record = parked_by(pipeline.config.breaker, pipeline.executors[name], clock.now_us(), reason)
            record_parked(self.table, "streaming", record)
        self.parked = parked
        self._worker = Worker(self._pipeline.worker_spec, clock, parked)
        self._committer = EpochCommitter(self._pipeline, self._generation, clock)

    def poll(self, *events: Mapping[str, Any] | bytes) -> int:
        """Take records through the worker and commit them as an epoch; returns the table's version."""
        values = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in events]
        offsets = np.arange(self._next, self._next + len(values), dtype=np.int64)
        after = self._next + len(values)
        part = Fetched(PARTITION, self._next, after, offsets, offsets + 1_000, pack(values), None)
        gathered = gather([part], self._pipeline.config.routing, {})
        outcomes = run_in_place(self._worker.steps(gathered.batch), {}, SystemClock())
        epoch = Epoch(self._pipeline, f"{self._generation}", SystemClock(), self.parked)
        epoch.take(gathered, outcomes, event_days(outcomes))
        self._committer.add(epoch.close())
        self._next = after
        return self._committer.commit().version

    def replay(self, tag: str = "refund", **environ: str) -> Any:
        """The command in a process of its own."""
        arguments = ("dead-letters", "replay", str(self.config), "--parked", tag, "--format", "json")
        return in_own_process(*arguments, folder=self.root, **environ)

    @property
    def table(self) -> str:
        """The table's path."""
        return str(self.root / "tables" / "sales")

    @property
    def letters_table(self) -> str:
        """The path of the dead letters."""
        return f"{self.table}_dead_letters"

    def rows(self, tag: str = "refund") -> dict[int, int]:
        """Values of a type's rows by offset; none of them may be there twice."""
        read = Snapshot.latest(self.table).table.to_pyarrow_table()
        own = [row for row in read.to_pylist() if row["_event_type"] == tag]
        assert len({row["_position"] for row in own}) == len(own), "a row is there twice"
        return {row["_position"]: row[f"{tag}_value"] for row in own}

    def letters(self) -> dict[int, str]:
        """The stage of each letter that counts, by offset; none of them may be there twice."""
        read = self.read_letters()
        found = dict(zip(read["position"].to_pylist(), read["stage"].to_pylist(), strict=True))
        assert len(found) == read.num_rows, "a letter is there twice"
        return found

    def read_letters(self) -> pa.Table:
        """The letters that count."""
        return dead_letters.read(self.letters_table, self.table)

    def audit(self, dropped: int) -> None:
        """I1: each offset is in one of rows, letters and the drops."""
        held = [*self.rows("order"), *self.rows("refund"), *self.letters()]
        assert len(set(held)) == len(held), "an input is there twice"
        assert len(held) + dropped == self._next, "an input is lost"


def sale(tag: str, number: int, value: int, day: int = 1) -> dict[str, Any]:
    """An event."""
    return {"event_type": tag, "event_id": f"{tag}-{number}", "at": f"2026-01-{day:02}T12:00:00Z", "value": value}


def sales(tag: str, values: Sequence[int]) -> list[dict[str, Any]]:
    """Events of these values, on days of their own."""
    return [sale(tag, number, value, 1 + number % 3) for number, value in enumerate(values)]
