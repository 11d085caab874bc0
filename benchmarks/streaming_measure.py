"""Runs one contender of the streaming benchmark in a fresh process and measures it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from benchmarks.measure import REPOSITORY, ContenderFailed
from benchmarks.process_tree import TreeMeter, Usage
from benchmarks.proof import Fingerprint, fingerprint

_WORKER: Final = "ray::StreamWorker"
_GOODBYE_SECONDS: Final = 60


@dataclass(frozen=True)
class StreamMeasurement:
    """One run over a topic, and one over a tiny topic before it (`fixed_…`): what every run costs, however small.

    CPU seconds are those of the contender's whole process tree, Ray's own processes included, the broker's not.
    `worker_bytes` are resident sizes of one worker over the run, every half second (none: no Ray worker).
    """

    name: str
    wall_seconds: float
    cpu_seconds: float
    fixed_wall_seconds: float
    fixed_cpu_seconds: float
    worker_bytes: tuple[int, ...]
    fingerprint: Fingerprint


class WorkerMemory:
    """The largest worker's resident size, sampled while it is entered."""

    def __init__(self, root: int) -> None:
        self.samples: list[int] = []
        self._root, self._done = psutil.Process(root), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> WorkerMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            sizes = [size for each in self._root.children(recursive=True) if (size := _worker_size(each))]
            self.samples += [max(sizes)] if sizes else []


def _worker_size(process: psutil.Process) -> int:
    try:
        command = process.cmdline()
        return int(process.memory_info().rss) if command and command[0].startswith(_WORKER) else 0
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


@dataclass
class Contender:
    """A contender's process, ready for runs."""

    process: subprocess.Popen[str]
    scratch: Path
    servers: str
    worker_bytes: list[int] = field(default_factory=list)

    def run(self, topic: str, name: str) -> tuple[float, Usage]:
        """Read a topic into a new table; wall seconds, and what the process tree used."""
        output = self.scratch / name
        with TreeMeter(self.process.pid) as meter, WorkerMemory(self.process.pid) as memory:
            assert self.process.stdin is not None
            line = json.dumps({"servers": self.servers, "topic": topic, "output": str(output)})
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            wall = float(self.answer())
        self.worker_bytes = memory.samples
        return wall, meter.usage()

    def answer(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            written = (self.scratch / "log").read_text()[-3000:]
            raise ContenderFailed(f"expected an answer from {self.process.args}, got the end:\n{written}")
        return line


def measure(name: str, servers: str, tiny: str, topic: str, scratch: Path) -> StreamMeasurement:
    """Start a contender, let it read the tiny topic twice and the topic once; outputs are removed again."""
    with running(name, servers, scratch) as contender:
        contender.run(tiny, "warm")
        fixed_wall, fixed = contender.run(tiny, "tiny")
        wall, usage = contender.run(topic, "output")
        memory = tuple(contender.worker_bytes)
    proof = fingerprint(scratch / "output")
    shutil.rmtree(scratch)
    return StreamMeasurement(name, wall, usage.cpu_seconds, fixed_wall, fixed.cpu_seconds, memory, proof)


@contextmanager
def running(name: str, servers: str, scratch: Path) -> Iterator[Contender]:
    """A contender's process, from ready to gone."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    search = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    with (scratch / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.streaming_contenders", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": search},
        )
        contender = Contender(process, scratch, servers)
        try:
            contender.answer()
            yield contender
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(tree, timeout=5)[1]:
        left.kill()
