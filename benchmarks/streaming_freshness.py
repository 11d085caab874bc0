"""How old records are when they become readable: a steady producer, an endless stream, and the table's own log."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from confluent_kafka import Producer

from benchmarks.measure import REPOSITORY
from benchmarks.nexmark import Bids
from benchmarks.streaming_topic import PARTITIONS, create, held, lz4_producer, remove
from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.reader import KafkaReader
from trivium.core.clock import SystemClock
from trivium.delivery.maintenance import ledger
from trivium.devtools.broker.broker import DevBroker

_TOPIC: Final = "freshness"
_TICK_SECONDS: Final = 0.02
_CHUNK: Final = 1_000
_START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Freshness:
    """Seconds from a record's production to the moment its commit is in the table, at a steady rate."""

    rate: float
    seconds: int
    p50: float
    p99: float
    longest: float


def measure_freshness(broker: DevBroker, bids: Bids, rate: float, seconds: int, scratch: Path) -> Freshness:
    """Produce at `rate` events a second while the platform streams with an interval of a second."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    remove(broker, _TOPIC)
    create(broker, _TOPIC)
    table = scratch / "table"
    running = _stream(broker.servers, table, scratch)
    try:
        producer = lz4_producer(broker)
        values = pq.read_table(sorted(bids.raw.glob("*.parquet"))[0])["value"].to_pylist()
        _await_first_commit(producer, values[0], table, running)
        _produce(producer, values, rate, seconds)
        time.sleep(3)
        running.send_signal(signal.SIGTERM)
        if running.wait(60):
            raise RuntimeError((scratch / "stream.log").read_text()[-2000:])
    finally:
        if running.poll() is None:
            running.kill()
    ages = _ages(broker, table)
    shutil.rmtree(scratch)
    p50, p99 = np.percentile(ages, [50, 99])
    return Freshness(rate, seconds, float(p50), float(p99), float(ages.max()))


def _stream(servers: str, table: Path, scratch: Path) -> subprocess.Popen[bytes]:
    config = Path(__file__).parent / "q14" / "row" / "pipeline_stream.yaml"
    variables = {"KAFKA": servers, "TOPIC": _TOPIC, "TABLE": str(table), "WORKERS": "2"}
    search = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    with (scratch / "stream.log").open("w") as log:
        command = [sys.executable, "-m", "trivium.cli.main", "run", "streaming", str(config)]
        environ = {**os.environ, **variables, "PYTHONPATH": search}
        return subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdout=log, stderr=log)


def _await_first_commit(producer: Producer, value: bytes, table: Path, running: subprocess.Popen[bytes]) -> None:
    """Produce a few records, one a partition, until the stream has committed them: it is warm then."""
    for number in range(PARTITIONS):
        producer.produce(_TOPIC, value, partition=number)
    producer.flush(30)
    end = time.monotonic() + _START_SECONDS
    while not any("ranges" in commit.metadata for commit in _commits(table)):
        if running.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the stream did not commit its first records")
        time.sleep(0.2)


def _commits(table: Path) -> list[ledger.Commit]:
    return ledger.commits(str(table)) if (table / "_delta_log").is_dir() else []


def _produce(producer: Producer, values: list[bytes], rate: float, seconds: int) -> None:
    """A steady rate, in ticks of 20 ms."""
    messages = [{"value": value} for value in values[: len(values) // _CHUNK * _CHUNK]]
    start, sent = time.monotonic(), 0
    while (passed := time.monotonic() - start) < seconds:
        for number in range(sent, int(passed * rate) // _CHUNK):
            first = number * _CHUNK % len(messages)
            _send(producer, messages[first : first + _CHUNK], number % PARTITIONS)
        sent = int(passed * rate) // _CHUNK
        producer.poll(0)
        time.sleep(_TICK_SECONDS)
    producer.flush(30)


def _send(producer: Producer, messages: list[dict[str, bytes]], partition: int) -> None:
    """Produce by one call, which costs two thirds of a call a record."""
    if producer.produce_batch(_TOPIC, messages, partition=partition) < len(messages):
        raise RuntimeError("the producer's queue is full: the broker does not take this rate")


def _ages(broker: DevBroker, table: Path) -> npt.NDArray[np.float64]:
    """For every record but those that warmed up: seconds from its timestamp to its commit's entry in the log."""
    produced = _timestamps(broker)
    ages = []
    for commit in _commits(table):
        entry = table / "_delta_log" / f"{commit.version:020}.json"
        landed = entry.stat().st_mtime
        for partition, each in json.loads(commit.metadata.get("ranges", "{}")).items():
            stamps = produced[partition][max(1, each["start"]) : each["next"]]
            ages.append(landed - stamps / 1000)
    return np.concatenate(ages)


def _timestamps(broker: DevBroker) -> Mapping[str, npt.NDArray[np.int64]]:
    """The timestamp (ms) of each record of each partition, by offset."""
    source = KafkaSource(type="kafka", servers=broker.servers, topics=(_TOPIC,))
    reader = KafkaReader(source, None, SystemClock())
    names = [f"{_TOPIC}/{number}" for number in range(PARTITIONS)]
    reader.assign(dict.fromkeys(names, 0))
    found: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in names}
    total, there = held(broker, _TOPIC) or 0, 0
    while there < total:
        for part in reader.poll(1.0, 32 << 20):
            found[part.partition].append(part.timestamps)
            there += len(part.timestamps)
    reader.close()
    return {name: np.concatenate(parts) for name, parts in found.items()}
