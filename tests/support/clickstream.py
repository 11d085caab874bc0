"""The clickstream project of `examples/`, copied, with little data of its own."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.terminal import python
from trivium.delivery.merge import query as merge

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "clickstream"
CONFIG = "configs/clickstream.yaml"
FIGURES = ("read", "emitted_inputs", "dropped", "rejected", "emitted_rows")


def make(parent: Path, visits: int = 150, days: int = 2) -> Path:
    """Copy the project below `parent` and make its data; return its folder."""
    root = parent / "clickstream"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("data", "tables", ".*", "__pycache__"))
    done = python("-m", "generator", "--visits", str(visits), "--days", str(days), folder=root)
    assert done.returncode == 0, done.stderr
    return root


def expected(root: Path) -> tuple[dict[str, list[int]], dict[str, int]]:
    """What the generator knows: figures by type in the order of `FIGURES`, and the rows that a reader finds."""
    known = json.loads((root / "data" / "expected.json").read_text())
    counts = {kind: [figures[name] for name in FIGURES] for kind, figures in known["counts"].items()}
    return counts, known["rows"]


def printed_counts(text: str) -> dict[str, list[int]]:
    """The balance that a run printed: `FIGURES` by type; batch has a column before the last."""
    lines = [line.split() for line in text.splitlines()]
    named = [line for line in lines if len(line) >= 6 and all(each.replace(",", "").isdecimal() for each in line[1:6])]
    return {line[0]: [int(line[at].replace(",", "")) for at in (1, 2, 3, 4, -1)] for line in named if line[0] != "all"}


def records(root: Path) -> list[bytes]:
    """The archive's records, in its order."""
    paths = sorted((root / "data" / "events").glob("day=*/*.parquet"))
    return [value for path in paths for value in pq.ParquetFile(path).read()["value"].to_pylist()]


def rows_by_type(table: Path) -> dict[str, pa.Table]:
    """The merged reading: a type's rows over the columns that an executor wrote, in the order of identities."""
    read = merge.read(str(table))
    kinds = read["_event_type"].to_pylist()
    own = read.select([name for name in read.column_names if not name.startswith("_")])
    found = {}
    for kind in sorted(set(kinds)):
        places = [place for place, each in enumerate(kinds) if each == kind]
        found[kind] = own.take(places).sort_by("event_id")
    return found


def answered_counts(values: list[Mapping[str, Any]], answers: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The balance of a service's answers: figures by the type that a record names, in the order of `FIGURES`."""
    counts: dict[str, Counter[str]] = {}
    for value, answer in zip(values, answers, strict=True):
        outcome = "emitted_inputs" if answer["outcome"] == "emitted" else answer["outcome"]
        figures = {"read": 1, outcome: 1, "emitted_rows": len(answer.get("rows", ()))}
        counts.setdefault(value.get("event_type", ""), Counter()).update(figures)
    return {kind: [figures[name] for name in FIGURES] for kind, figures in counts.items()}
