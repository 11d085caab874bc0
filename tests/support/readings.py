"""A project for all three runtimes: an executor that does whatever a pure one may, and reads a file when it is told to.

The file is read by a library, under a name no check of sources knows: that is for the guard.
"""

from __future__ import annotations

import json
import pickle
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from kafka import KafkaProducer

from trivium.delivery.dead_letters import batch as dead_letters

EXECUTOR = '''
import configparser
import functools
import pickle
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from trivium import Event, Executor, NormalizedEvent, RejectError

_DIGITS: dict[int, re.Pattern[str]] = {}


class Reading(Event, tag="reading"):
    event_id: str
    at: datetime
    text: str
    value: float = 0.0
    file: str | None = None


class ReadingRow(NormalizedEvent):
    said: str


@functools.cache
def vowels(least: int) -> re.Pattern[str]:
    return re.compile(f"[aeiou]{{{least},}}")


def digits(least: int) -> re.Pattern[str]:
    if least not in _DIGITS:
        _DIGITS[least] = re.compile(rf"\\d{{{least},}}")
    return _DIGITS[least]


class ReadingExecutor(Executor[Reading, ReadingRow]):
    """Scores a text with a model, in local time."""

    def open(self, artifacts: Mapping[str, str | bytes]) -> None:
        self.weights = np.load(str(artifacts["weights"]))
        self.names = pickle.loads(Path(str(artifacts["names"])).read_bytes())

    def process(self, event: Reading) -> ReadingRow:
        import colorsys

        if event.value < 0:
            raise RejectError("a value below zero")
        if event.file is not None:
            configparser.ConfigParser().read(event.file)
        score = float(self.weights @ np.array([len(event.text), event.value]))
        hue = colorsys.rgb_to_hsv(0.5, 0.25, 0.125)[2]
        found = vowels(1).findall(event.text) + digits(1).findall(event.text)
        local = event.at.astimezone(ZoneInfo("Australia/Lord_Howe"))
        said = f"{self.names[len(found) % 2]} {score:g} {hue:g} {local:%H:%M}"
        return ReadingRow(event_id=event.event_id, event_time=event.at, said=said)
'''
CONFIG = """
pipeline: readings
purity: {purity}
executors:
  - {{type: reading, artifacts: {{weights: ../models/weights.npy, names: ../models/names.pickle}}}}
table: {{type: delta, path: ../tables/readings}}
dead_letters: {{type: delta, path: ../tables/readings_dead_letters}}
batch:
  source: {{type: parquet, path: ../data, value_column: value, day_column: day}}
  workers: 1
streaming:
  source: {{type: kafka, servers: "{servers}", topics: [{topic}]}}
  workers: 1
  commit_interval_seconds: 0.5
serving: {{route: /readings}}
"""
SAID = "odd 8.5 0.5 23:00"  # of the text "ab1" with the value 3: two finds, 1.5 * 3 + 2.0 * 2; noon is 23:00 there


def reading(name: str, **more: Any) -> dict[str, Any]:
    """An event whose row says `SAID`."""
    return {
        "event_type": "reading", "event_id": name, "at": "2026-03-01T12:00:00Z", "text": "ab1", "value": 2.0, **more
    }  # fmt: skip


@dataclass(frozen=True)
class Readings:
    """The project's folder and files."""

    root: Path
    servers: str = "127.0.0.1:9"
    topic: str = "readings"

    @cached_property
    def config(self) -> Path:
        """The pipeline file."""
        return self.root / "configs" / "readings.yaml"

    @cached_property
    def executor(self) -> Path:
        """The executor's file."""
        return self.root / "executors" / "reading" / "executor.py"

    def write(self, purity: str = "strict") -> Readings:
        """Write all of it."""
        for path, text in {
            self.root / "executors/__init__.py": "",
            self.executor.with_name("__init__.py"): "",
            self.executor: textwrap.dedent(EXECUTOR).lstrip(),
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        models = self.root / "models"
        models.mkdir()
        np.save(models / "weights.npy", np.array([1.5, 2.0]))
        (models / "names.pickle").write_bytes(pickle.dumps(("odd", "even")))
        self.configure(purity)
        return self

    def configure(self, purity: str) -> None:
        """Write the pipeline file."""
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(CONFIG.lstrip().format(purity=purity, servers=self.servers, topic=self.topic))

    def archive(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Have the archive hold these events."""
        path = self.root / "data" / "day=2026-03-01" / "part-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"value": [json.dumps(event).encode() for event in events]}), path)

    def produce(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Send these events to the topic."""
        producer = KafkaProducer(bootstrap_servers=self.servers)
        for event in events:
            producer.send(self.topic, value=json.dumps(event).encode())
        producer.flush()
        producer.close()

    def rows(self, runtime: str) -> list[dict[str, Any]]:
        """A runtime's rows, in the order of their ids and positions."""
        table = DeltaTable(str(self.root / "tables/readings")).to_pyarrow_table(filters=[("_runtime", "=", runtime)])
        return sorted(table.to_pylist(), key=lambda row: (row["event_id"], row["_position"]))

    def letters(self, runtime: str) -> list[dict[str, Any]]:
        """A runtime's dead letters that count, in the order of their positions."""
        tables = self.root / "tables"
        found = dead_letters.read(str(tables / "readings_dead_letters"), str(tables / "readings")).to_pylist()
        return sorted((each for each in found if each["runtime"] == runtime), key=lambda row: int(row["position"]))
