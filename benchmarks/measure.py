"""Runs one contender in a fresh process and measures it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.nexmark import Bids
from benchmarks.process_tree import TreeMeter
from benchmarks.proof import Fingerprint, fingerprint

REPOSITORY: Final = Path(__file__).resolve().parents[1]
_GOODBYE_SECONDS: Final = 60


class ContenderFailed(Exception):
    """A contender's process ended; the message holds the end of what it wrote."""


@dataclass(frozen=True)
class Measurement:
    """One run of a contender.

    `start_up_seconds` is from the process's start to the end of a warm-up run, `fixed_seconds` a run on the tiny input
    after that, the rest the run itself: wall and CPU of the whole process tree, the most memory it held, and the CPU
    the machine spent on everything else meanwhile.
    """

    form: str
    contender: str
    start_up_seconds: float
    fixed_seconds: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    others_cpu_seconds: float
    fingerprint: Fingerprint


def measure(form: str, name: str, tiny: Bids, bids: Bids, scratch: Path) -> Measurement:
    """Start a contender, warm it, run it on the tiny input, then on the bids; outputs are removed again."""
    started = time.perf_counter()
    with _contender(form, name, scratch) as process:
        _run(process, _folder(form, tiny), scratch / "warm")
        start_up = time.perf_counter() - started
        fixed = _run(process, _folder(form, tiny), scratch / "tiny")
        with TreeMeter(process.pid) as meter:
            wall = _run(process, _folder(form, bids), scratch / "output")
    usage = meter.usage()
    proof = fingerprint(scratch / "output")
    shutil.rmtree(scratch)
    return Measurement(
        form=form,
        contender=name,
        start_up_seconds=start_up,
        fixed_seconds=fixed,
        wall_seconds=wall,
        cpu_seconds=usage.cpu_seconds,
        peak_bytes=usage.peak_bytes,
        others_cpu_seconds=usage.others_cpu_seconds,
        fingerprint=proof,
    )


def _folder(form: str, bids: Bids) -> Path:
    return bids.raw if form == "json" else bids.typed


@contextmanager
def _contender(form: str, name: str, scratch: Path) -> Iterator[subprocess.Popen[str]]:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    search = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    with (scratch / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contenders", form, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": search},
        )
        try:
            _answer(process, scratch)
            yield process
        finally:
            _end(process)


def _run(process: subprocess.Popen[str], bids: Path, output: Path) -> float:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"bids": str(bids), "output": str(output)}) + "\n")
    process.stdin.flush()
    return float(_answer(process, output.parent))


def _answer(process: subprocess.Popen[str], scratch: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        written = (scratch / "log").read_text()[-3000:]
        raise ContenderFailed(f"expected an answer from {process.args}, got the end of its output:\n{written}")
    return line


def _end(process: subprocess.Popen[Any]) -> None:
    """Let it shut down; what of its tree is left after a minute is killed."""
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
