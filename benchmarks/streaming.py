"""`./dev bench streaming`: query 14 over NEXMark bids in Kafka, into committed Delta, beside loops written by hand.

Every contender runs in a fresh process, warmed up; rounds go through all of them in turn, and figures are medians. No
figure is shown unless all outputs hold the same rows. CPU is that of the contender's process tree; the broker's is not
in it. Net figures leave out what a run over a tiny topic costs: workers that start, tables that are made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.measure import REPOSITORY
from benchmarks.nexmark import prepare
from benchmarks.proof import check_equal
from benchmarks.report import machine
from benchmarks.streaming_contenders import NAMES
from benchmarks.streaming_freshness import Freshness, measure_freshness
from benchmarks.streaming_measure import StreamMeasurement, measure
from benchmarks.streaming_topic import bids_topic, broker_in

TINY_EVENTS: Final = 1_600


@dataclass(frozen=True)
class Figures:
    """The medians of a contender's runs over `events` records. Net: less what a run over a tiny topic costs."""

    name: str
    events: int
    wall_seconds: float
    cpu_seconds: float
    net_wall_seconds: float
    net_cpu_seconds: float
    worker_mb_first_third: float | None
    worker_mb_last_third: float | None


@dataclass(frozen=True)
class Goal:
    """A ratio, and the least it may be."""

    name: str
    ratio: float
    at_least: float


def _cpu(figures: Figures) -> float:
    return figures.net_cpu_seconds


def _wall(figures: Figures) -> float:
    return figures.net_wall_seconds


_GOALS: Final = (
    ("row form, events per CPU second, beside the plain confluent loop", "row 1", "confluent plain 1", _cpu, 1.2),
    ("the same, beside the confluent loop written for speed", "row 1", "confluent 1", _cpu, 1.2),
    ("column form, events per CPU second, beside the latter", "column 1", "confluent 1", _cpu, 1.2),
    ("row form, events per CPU second, beside the kafka-python loop", "row 1", "kafka-python 1", _cpu, 1.0),
    ("row form, wall on both cores, beside two plain confluent loops", "row 2", "confluent plain 2", _wall, 1.2),
    ("the same, beside two confluent loops written for speed", "row 2", "confluent 2", _wall, 1.2),
)


def main() -> None:
    """Read the command line, measure, prove, report."""
    told = _arguments()
    cache = REPOSITORY / "data" / "bench"
    where = machine()
    with broker_in(cache) as broker:
        tiny = bids_topic(broker, prepare(cache, TINY_EVENTS), TINY_EVENTS)
        bids = prepare(cache, told.events)
        topic = bids_topic(broker, bids, told.events)
        names = [name for name in NAMES if name not in told.without]
        runs: dict[str, list[StreamMeasurement]] = {name: [] for name in names}
        for number in range(told.rounds):
            for name in names:
                run = measure(name, broker.servers, tiny, topic, cache / "scratch")
                runs[name].append(run)
                print(f"round {number + 1}, {name}: {run.wall_seconds:.2f} s, CPU {run.cpu_seconds:.2f} s", flush=True)
        check_equal({name: run.fingerprint for name, each in runs.items() for run in each})
        found = {name: figures(each, told.events) for name, each in runs.items()}
        fresh = None
        if told.freshness_seconds and "row 2" in found:
            rate = told.events / found["row 2"].net_wall_seconds / 2
            fresh = measure_freshness(broker, bids, rate, told.freshness_seconds, cache / "scratch")
    reached = goals(found)
    show(list(found.values()), reached, fresh)
    told.output.parent.mkdir(parents=True, exist_ok=True)
    told.output.write_text(json.dumps(as_json(list(found.values()), reached, fresh, where), indent=2) + "\n")
    print(f"written to {told.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev bench streaming", description="The streaming runtime beside its peers."
    )
    parser.add_argument("--events", type=int, default=2_000_000, help="bids (default 2,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (default 3)")
    parser.add_argument("--freshness-seconds", type=int, default=30, help="how long to measure freshness; 0: not")
    parser.add_argument("--without", nargs="+", default=[], metavar="CONTENDER", choices=NAMES, help="leave these out")
    output = REPOSITORY / "benchmarks" / "results" / "streaming.json"
    parser.add_argument("--output", type=Path, default=output, help="the JSON file to write")
    return parser.parse_args()


def figures(runs: Sequence[StreamMeasurement], events: int) -> Figures:
    """The medians of one contender's runs."""
    thirds = [_thirds(run.worker_bytes) for run in runs if len(run.worker_bytes) >= 3]
    return Figures(
        name=runs[0].name,
        events=events,
        wall_seconds=median(run.wall_seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        net_wall_seconds=median(run.wall_seconds - run.fixed_wall_seconds for run in runs),
        net_cpu_seconds=median(run.cpu_seconds - run.fixed_cpu_seconds for run in runs),
        worker_mb_first_third=median(first for first, _ in thirds) / 1e6 if thirds else None,
        worker_mb_last_third=median(last for _, last in thirds) / 1e6 if thirds else None,
    )


def _thirds(samples: Sequence[int]) -> tuple[int, int]:
    """The largest size in the first and in the last third of a run."""
    third = len(samples) // 3
    return max(samples[:third]), max(samples[-third:])


def goals(found: Mapping[str, Figures]) -> list[Goal]:
    """The ratios to reach, of those whose contenders were measured."""
    reached = []
    for name, ours, theirs, spent, least in _GOALS:
        if ours in found and theirs in found:
            reached.append(Goal(name, spent(found[theirs]) / spent(found[ours]), least))
    return reached


def show(found: Sequence[Figures], reached: Sequence[Goal], fresh: Freshness | None) -> None:
    """Print all of it."""
    console = Console(width=140)
    table = Table(
        "contender", "wall s", "CPU s", "net wall s", "net CPU s", "events/s net", "events/CPU s net", "worker MB"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for each in found:
        table.add_row(*_cells(each))
    console.print(table)
    listed = Table("goal", "ratio", "at least", "")
    for goal in reached:
        mark = "reached" if goal.ratio >= goal.at_least else "missed"
        listed.add_row(goal.name, f"{goal.ratio:.2f}", f"{goal.at_least:.2f}", mark)
    console.print(listed)
    if fresh:
        console.print(
            f"freshness at {fresh.rate:,.0f} events/s for {fresh.seconds} s, interval 1 s, produce to readable: "
            f"p50 {fresh.p50:.2f} s, p99 {fresh.p99:.2f} s, max {fresh.longest:.2f} s (goal: p99 at most 2 s)"
        )


def _cells(each: Figures) -> tuple[str, ...]:
    memory = "-"
    if each.worker_mb_first_third is not None and each.worker_mb_last_third is not None:
        memory = f"{each.worker_mb_first_third:,.0f} then {each.worker_mb_last_third:,.0f}"
    seconds = (each.wall_seconds, each.cpu_seconds, each.net_wall_seconds, each.net_cpu_seconds)
    rates = (each.events / each.net_wall_seconds, each.events / each.net_cpu_seconds)
    return (each.name, *(f"{value:.2f}" for value in seconds), *(f"{rate:,.0f}" for rate in rates), memory)


def as_json(
    found: Sequence[Figures], reached: Sequence[Goal], fresh: Freshness | None, where: Mapping[str, object]
) -> dict[str, object]:
    """All of it as plain data."""
    return {
        "machine": dict(where),
        "figures": [asdict(each) for each in found],
        "goals": [asdict(goal) for goal in reached],
        "freshness": asdict(fresh) if fresh else None,
    }


if __name__ == "__main__":
    main()
