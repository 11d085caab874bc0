"""Figures as medians, the ratios to reach, and both as a table and as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement


@dataclass(frozen=True)
class Figures:
    """The medians of a contender's runs over `rows` bids."""

    form: str
    contender: str
    rows: int
    start_up_seconds: float
    fixed_seconds: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    others_cpu_seconds: float


@dataclass(frozen=True)
class Goal:
    """A ratio and the most it may be."""

    name: str
    ratio: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether it is at most the limit."""
        return self.ratio <= self.limit


def figures(runs: Sequence[Measurement], rows: int) -> Figures:
    """The medians of one contender's runs."""

    def middle(name: str) -> float:
        return median(getattr(run, name) for run in runs)

    return Figures(
        form=runs[0].form,
        contender=runs[0].contender,
        rows=rows,
        start_up_seconds=middle("start_up_seconds"),
        fixed_seconds=middle("fixed_seconds"),
        wall_seconds=middle("wall_seconds"),
        cpu_seconds=middle("cpu_seconds"),
        peak_bytes=int(middle("peak_bytes")),
        others_cpu_seconds=middle("others_cpu_seconds"),
    )


def machine() -> dict[str, Any]:
    """Where and with what this was measured."""
    names = ("ray", "pyarrow", "polars", "deltalake", "msgspec")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def as_json(found: Sequence[Figures], goals: Sequence[Goal], where: dict[str, Any]) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "machine": where,
        "figures": [asdict(each) for each in found],
        "goals": [{**asdict(goal), "reached": goal.reached} for goal in goals],
    }


def show(found: Sequence[Figures], goals: Sequence[Goal], where: dict[str, Any]) -> None:
    """Print all of it."""
    console = Console(width=120)
    if found:
        console.print(_figures(found))
    if goals:
        console.print(_goals(goals))
    console.print(", ".join(f"{name} {value}" for name, value in where.items()), highlight=False)


def _figures(found: Sequence[Figures]) -> Table:
    table = Table(
        "form", "contender", "rows", "wall s", "rows/s", "CPU s", "others' CPU s", "peak MB", "fixed s", "start-up s"
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for each in found:
        table.add_row(*_cells(each))
    return table


def _cells(each: Figures) -> tuple[str, ...]:
    return (
        each.form,
        each.contender,
        f"{each.rows:,}",
        f"{each.wall_seconds:.2f}",
        f"{each.rows / each.wall_seconds:,.0f}",
        f"{each.cpu_seconds:.2f}",
        f"{each.others_cpu_seconds:.2f}",
        f"{each.peak_bytes / 1e6:,.0f}",
        f"{each.fixed_seconds:.2f}",
        f"{each.start_up_seconds:.1f}",
    )


def _goals(goals: Sequence[Goal]) -> Table:
    table = Table("goal", "ratio", "at most", "")
    for goal in goals:
        table.add_row(goal.name, f"{goal.ratio:.2f}", f"{goal.limit:.2f}", "reached" if goal.reached else "missed")
    return table
