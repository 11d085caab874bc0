"""`./dev bench serving`: query 14 over NEXMark bids behind HTTP, beside handlers written by hand.

Every contender runs in a fresh process and answers the same requests, first all of them once so that the answers can be
compared; no figure is shown unless they are equal. Rounds go through all contenders in turn; figures are medians. The
load comes from a process of its own on the same two cores, which is part of what is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.measure import REPOSITORY, ContenderFailed
from benchmarks.nexmark import prepare
from benchmarks.report import machine
from benchmarks.serving_contenders import CONTENDERS
from benchmarks.serving_load import Load

BIDS: Final = 16_000
REQUESTS: Final = 250
CALLERS: Final = (1, 8, 32)
EVENTS: Final = (1, 32)
OPEN_CONNECTIONS: Final = 64
Key = tuple[str, int, int, str]


@dataclass(frozen=True)
class Figures:
    """The medians over the rounds of one contender under one load. `loop`: closed, or open at a share of the peak."""

    contender: str
    callers: int
    events: int
    loop: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    errors: int


@dataclass(frozen=True)
class Goal:
    """Requests a second beside the handler written by hand in a bare deployment."""

    name: str
    ratio: float
    at_least: float = 0.9


def main() -> None:
    """Read the command line, measure, prove, report."""
    told = _arguments()
    where = machine()
    bids = bids_of(prepare(REPOSITORY / "data" / "bench", BIDS).raw)
    found: dict[Key, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bodies = {events: write_bodies(Path(folder) / f"{events}.jsonl", bids, events) for events in EVENTS}
        answers: dict[str, list[Any]] = {}
        for number in range(told.rounds):
            for name in told.contenders:
                with running(name) as url:
                    answers[name] = [ask(url, body) for body in bodies[32].read_bytes().splitlines()]
                    for key, result in measured(name, url, bodies, told.seconds):
                        found.setdefault(key, []).append(result)
                print(f"round {number + 1}, {name}: done", flush=True)
    check_equal(answers)
    reached = goals(found)
    show([figures(key, runs) for key, runs in found.items()], reached)
    told.output.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "machine": where,
        "figures": [asdict(figures(key, runs)) for key, runs in found.items()],
        "goals": [asdict(goal) for goal in reached],
    }
    told.output.write_text(json.dumps(data, indent=2) + "\n")


def bids_of(folder: Path) -> list[bytes]:
    """The first bids of a data set, as JSON."""
    return list(pq.read_table(sorted(folder.glob("*.parquet"))[0])["value"].to_pylist())


def write_bodies(path: Path, bids: Sequence[bytes], events: int) -> Path:
    """Request bodies of so many events each, one a line."""
    cut = [bids[start : start + events] for start in range(0, REQUESTS * events, events)]
    each = [part[0] if events == 1 else b"[" + b",".join(part) + b"]" for part in cut if part]
    path.write_bytes(b"\n".join(each))
    return path


@contextmanager
def running(name: str) -> Iterator[str]:
    """A contender's process; the URL it answers at."""
    command = [sys.executable, "-m", "benchmarks.serving_contenders", name]
    with tempfile.TemporaryFile("w+") as log:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        process = subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                log.seek(0)
                raise ContenderFailed(f"expected the URL of {name}, got the end:\n{log.read()[-3000:]}")
            yield url
        finally:
            process.stdin.close()
            process.terminate()
            process.wait(60)


def ask(url: str, body: bytes) -> Any:
    """One answer, as plain data."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/events", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def measured(name: str, url: str, bodies: Mapping[int, Path], seconds: float) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every load on one contender: closed loops, then an open one at half of the peak of single events."""
    peak = 0.0
    for events in EVENTS:
        for callers in CALLERS:
            result = loaded(url, bodies[events], callers, seconds)
            if events == 1:
                peak = max(peak, result["requests_per_second"])
            yield (name, callers, events, "closed"), result
    yield (name, OPEN_CONNECTIONS, 1, "open, half"), loaded(url, bodies[1], OPEN_CONNECTIONS, seconds, peak / 2)


def loaded(url: str, bodies: Path, callers: int, seconds: float, rate: float | None = None) -> dict[str, Any]:
    """The figures of one load, from a process of its own."""
    at = urlsplit(url)
    assert at.hostname
    assert at.port
    load = Load(at.hostname, at.port, f"{at.path}/v1/events", str(bodies), callers, seconds, rate=rate)
    command = [sys.executable, "-m", "benchmarks.serving_load"]
    done = subprocess.run(
        command, cwd=REPOSITORY, input=json.dumps(asdict(load)), text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise ContenderFailed(f"the load on {url} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check_equal(answers: Mapping[str, Sequence[Any]]) -> None:
    """Refuse to compare contenders that answer differently.

    Raises:
        ContenderFailed: two do.
    """
    first, *others = answers.items()
    for name, given in others:
        if given != first[1]:
            at = next(at for at, pair in enumerate(zip(given, first[1], strict=True)) if pair[0] != pair[1])
            raise ContenderFailed(f"request {at}: {first[0]} says {first[1][at]}, {name} says {given[at]}")


def figures(key: Key, runs: Sequence[Mapping[str, Any]]) -> Figures:
    """The medians of one contender under one load."""
    names = ("requests_per_second", "p50_ms", "p99_ms", "p999_ms")
    errors = sum(count for run in runs for status, count in run["statuses"].items() if status != "200")
    return Figures(*key, *(median(run[name] for run in runs) for name in names), errors)


def goals(found: Mapping[Key, Sequence[Mapping[str, Any]]]) -> list[Goal]:
    """Trivium's requests a second beside the bare deployment's, under each closed loop."""
    names = {key[0] for key in found}
    if not {"trivium", "serve"} <= names:
        return []
    made = []
    for events in EVENTS:
        for callers in CALLERS:
            ours, bare = (
                figures(key, found[key]).requests_per_second
                for key in (("trivium", callers, events, "closed"), ("serve", callers, events, "closed"))
            )
            made.append(Goal(f"{callers} callers, {events} events a request: trivium / by hand", ours / bare))
    return made


def show(found: Sequence[Figures], reached: Sequence[Goal]) -> None:
    """Print all of it."""
    console = Console(width=120)
    table = Table(
        "contender", "loop", "callers", "events", "requests/s", "events/s", "p50 ms", "p99 ms", "p99.9 ms", "errors"
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for each in found:
        per_second = each.requests_per_second
        numbers = (f"{per_second:,.0f}", f"{per_second * each.events:,.0f}")
        latencies = (f"{each.p50_ms:.2f}", f"{each.p99_ms:.2f}", f"{each.p999_ms:.2f}")
        table.add_row(
            each.contender, each.loop, str(each.callers), str(each.events), *numbers, *latencies, str(each.errors)
        )
    console.print(table)
    summary = Table("goal", "ratio", "at least", "")
    for goal in reached:
        verdict = "reached" if goal.ratio >= goal.at_least else "missed"
        summary.add_row(goal.name, f"{goal.ratio:.2f}", f"{goal.at_least:.2f}", verdict)
    console.print(summary)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results" / "serving.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
