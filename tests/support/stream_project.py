"""A project that consumes a topic and whose records behave, change their mind, raise, kill their process or hang."""

import json
import os
import random
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer
from deltalake import DeltaTable

from tests.support.audit import Audit, audit
from tests.support.batch_project import ROW, Outcome
from tests.support.stream_sources import CONFIG, DRIVE, EXECUTOR
from tests.support.tally import Tally
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.devtools.broker.broker import DevBroker


@dataclass
class StreamProject:
    """A project folder, a topic with what was produced to it, and drivers to run and to break."""

    root: Path
    address: str
    broker: DevBroker
    topic: str
    tally: Tally
    interval: float = 0.5
    workers: int = 2
    drain: float = 20.0
    produced: dict[str, int] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        self.config = self.root / "configs" / "ticks.yaml"
        self.write_config()
        files = {
            "executors/__init__.py": "",
            "executors/tick_row.py": ROW,
            "executors/tick/__init__.py": "",
            "executors/tick/executor.py": EXECUTOR,
        }
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())
        self.write_weights(range(10))

    def write_config(self, **changed: object) -> None:
        """The pipeline file, with these settings of the project changed."""
        for name, value in changed.items():
            setattr(self, name, value)
        keys = {"servers": self.broker.servers, "topic": self.topic, "interval": self.interval}
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(CONFIG.lstrip() % (keys | {"workers": self.workers, "drain": self.drain}))

    @property
    def table(self) -> str:
        """The table's path."""
        return str(self.root / "tables" / "ticks")

    @property
    def dead_letters(self) -> str:
        """The dead-letter table's path."""
        return str(self.root / "tables" / "ticks_dead_letters")

    def write_weights(self, keys: Sequence[int]) -> None:
        """What the lookup knows; records with other keys are rejects."""
        data = pa.table({"key": pa.array(keys, pa.int64()), "weight": pa.array([1] * len(keys), pa.int64())})
        pq.write_table(data, self.root / "weights.new")
        (self.root / "weights.new").replace(self.root / "weights.parquet")

    def produce(self, values: Sequence[bytes | None], **options: object) -> None:
        """Produce records over the topic's partitions in turn, and wait until they are acknowledged."""
        self.count(self.send(Producer({"bootstrap.servers": self.broker.servers, "linger.ms": 5, **options}), values))

    def send(self, producer: Producer, values: Sequence[bytes | None]) -> Counter[str]:
        """Produce records with a producer, perhaps in its transaction; how many each partition has acknowledged."""
        failed: list[object] = []
        taken: Counter[str] = Counter()

        def done(error: object, message: object) -> None:
            if error is not None:
                failed.append(error)
            else:
                taken[f"{self.topic}/{message.partition()}"] += 1  # type: ignore[attr-defined]

        for number, value in enumerate(values):
            producer.produce(self.topic, value=value, key=str(number).encode(), on_delivery=done)
            producer.poll(0)
        producer.flush(60)
        assert not failed, failed[0]
        return taken

    def count(self, taken: Counter[str]) -> None:
        """These records are in the log, for readers of what is committed."""
        for name, records in taken.items():
            self.produced[name] = self.produced.get(name, 0) + records

    def ticks(self, count: int, actions: Mapping[int, str] | None = None, fickle: float = 0.0) -> list[bytes]:
        """Some more events; `actions` maps an event's place to what it does, a share of the others is fickle."""
        chance = random.Random(self._made)
        values = []
        for place in range(count):
            number, self._made = self._made, self._made + 1
            action = (actions or {}).get(place) or ("fickle" if chance.random() < fickle else None)
            event = {"event_type": "tick", "event_id": f"e{number}", "at": "2026-03-01T12:00:00Z", "value": number}
            event |= {"key": number % 10} | ({"action": action} if action else {})
            values.append(msgspec.json.encode(event))
        return values

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a driver that joins the tests' cluster."""
        return {**os.environ, "RAY_ADDRESS": self.address, **more}

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """A driver as a process of its own, connected to the tests' cluster."""
        command = [sys.executable, "-c", DRIVE, str(self.config), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environ(**environ), text=True, cwd=self.root, **pipes)

    def finish(self, process: subprocess.Popen[str], timeout: float = 180.0) -> Outcome:
        """Wait for a driver's end."""
        out, said = process.communicate(timeout=timeout)
        reports = [line.removeprefix("REPORT ") for line in out.splitlines() if line.startswith("REPORT ")]
        report = json.loads(reports[0]) if process.returncode == 0 else {}
        return Outcome(process.returncode, report, said)

    def catch_up(self, **environ: str) -> Outcome:
        """Run a driver until it has read what is there."""
        return self.finish(self.start("--until-caught-up", **environ))

    def catch_up_well(self, **environ: str) -> dict[str, int]:
        """The same for a driver that must succeed; its report."""
        outcome = self.catch_up(**environ)
        assert outcome.code == 0, outcome.said
        return outcome.report

    def audit(self) -> Audit:
        """What the data says; printed, free of problems, and added to the matrix."""
        found = audit(self.table, self.dead_letters, self.produced)
        self.tally.add(found)
        assert not found.problems, found.problems
        assert (found.duplicates, found.missing) == (0, 0), found
        return found

    def letters(self) -> dict[str, int]:
        """How many dead letters there are of each reason."""
        return dict(Counter(dead_letters.read(self.dead_letters, self.table)["reason"].to_pylist()))

    def positions(self) -> dict[int, int]:
        """The committed position of each partition of the topic, by number."""
        if self.version() < 0:
            return {}
        snapshot, found = DeltaTable(self.table), {}
        for number in range(16):
            position = snapshot.transaction_version(f"ticks/{self.topic}/{number}")
            if position is not None:
                found[number] = position
        return found

    def position(self) -> int:
        """All committed positions together."""
        return sum(self.positions().values())

    def version(self) -> int:
        """The newest version in the table's log, -1 without a table."""
        names = [path.stem for path in Path(self.table, "_delta_log").glob("*.json") if path.stem.isdigit()]
        return max(map(int, names), default=-1)

    def wait_for_version(self, version: int, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
        """Wait until a driver has committed up to a version."""
        end = time.monotonic() + seconds
        while self.version() < version:
            assert process.poll() is None, f"the driver ended early: {process.communicate()}"
            assert time.monotonic() < end, f"version {version} was not reached in time"
            time.sleep(0.05)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, and wait for the end."""
    process.kill()
    process.communicate()
