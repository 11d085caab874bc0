"""`./dev bench commits`: an epoch's commit on tables of many files, versions and partitions, beside deltalake's own.

Each epoch adds one file of a thousand rows and moves the position of every partition. deltalake does the same by hand:
it opens the table and puts file and positions into one commit, without any of the checks. Tables are made by writing
their log, in which all but the epochs' own files are only names.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.transaction import AddAction
from rich.console import Console
from rich.table import Table

from benchmarks.measure import REPOSITORY
from benchmarks.report import Goal, machine, show
from trivium.core.clock import SystemClock
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.commit.positions import Adoption, adopt
from trivium.delivery.commit.stream import OffsetRange, StreamCommit, commit_epoch
from trivium.delivery.dead_letters.schema import dead_letter_table
from trivium.delivery.delta.entry import entry_path
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table

LIMIT: Final = 2.0
ROWS: Final = 1_000
PIPELINE: Final = "shop"
AUTHOR: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", pa.timestamp("us", "UTC"), nullable=False),
    ]
)
SCHEMA: Final = table_schema(AUTHOR)
MOMENT: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_PARTITION: Final = {"event_date": "2026-01-01", "_runtime": "streaming"}
_STATISTICS: Final = '{"numRecords":1000,"minValues":{"event_id":"0"},"maxValues":{"event_id":"9"},"nullCount":{}}'
_NAMED: Final = {"size": 1000, "modificationTime": 1, "dataChange": True, "stats": _STATISTICS}


@dataclass(frozen=True)
class Size:
    """A table's active files, versions, and partitions of its topic."""

    files: int = 1_000
    versions: int = 20
    partitions: int = 4


SIZES: Final = (
    Size(),
    Size(files=10_000),
    Size(files=100_000),
    Size(versions=1_000),
    Size(versions=10_000),
    Size(partitions=100),
    Size(partitions=1_000),
    Size(100_000, 10_000, 1_000),
)


@dataclass(frozen=True)
class Cost:
    """Milliseconds of a commit: a process's first, which reads the whole table, and the medians of later ones."""

    size: Size
    first: float
    ours: float
    deltalake: float


def main() -> None:
    """Measure every size and report it."""
    parser = argparse.ArgumentParser(prog="./dev bench commits", description="What an epoch's commit costs.")
    parser.add_argument("--commits", type=int, default=30, help="commits of each side and size (default 30)")
    told = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="trivium-commits-") as folder:
        found = [measure(Path(folder, str(number)), size, told.commits) for number, size in enumerate(SIZES)]
    Console(width=120).print(_table(found))
    goals = [Goal(f"a commit at {_words(each.size)}", each.ours / found[0].ours, LIMIT) for each in found[1:]]
    show([], goals, where)
    output = REPOSITORY / "benchmarks" / "results" / "commits.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": where, "costs": [asdict(each) for each in found]}, indent=2) + "\n")
    print(f"written to {output}")


def measure(folder: Path, size: Size, commits: int) -> Cost:
    """Commit to a table of that size, both sides in turn."""
    uri, letters, clock = str(folder / "table"), str(folder / "letters"), SystemClock()
    make_table(uri, letters, size)
    names = [f"clicks/{number}" for number in range(size.partitions)]
    files = _files(uri)
    first = _milliseconds(lambda: take_generation(uri, letters, PIPELINE, "streaming", clock))
    generation = take_generation(uri, letters, PIPELINE, "streaming", clock)
    adopt(uri, Adoption(PIPELINE, generation, dict.fromkeys(names, 0), {"clicks": 1}), clock)
    ours, theirs = [], []
    for at in range(commits):
        ranges = {name: OffsetRange(at, at + 1, read=1, dropped=1) for name in names}
        epoch = StreamCommit(PIPELINE, generation, (next(files),), ranges, {"click": {"read": 1}}, "l", "p")
        ours.append(_milliseconds(partial(commit_epoch, uri, epoch, SCHEMA, clock)))
        theirs.append(_milliseconds(partial(by_deltalake, uri, next(files), names)))
    return Cost(size, first, median(ours), median(theirs))


def by_deltalake(uri: str, file: DataFile, partitions: list[str]) -> None:
    """Put a file and positions into one commit, as a loop written by hand does; the positions are of another stream."""
    table = DeltaTable(uri)
    values = dict(file.partition_values)
    table.create_write_transaction(
        [AddAction(file.path, file.size, values, time.time_ns() // 1_000_000, True, file.statistics)],
        mode="append",
        schema=table.schema(),
        partition_by=table.metadata().partition_columns,
        commit_properties=CommitProperties(
            max_commit_retries=0, app_transactions=[Transaction(f"by_hand/{name}", 1) for name in partitions]
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )


def make_table(uri: str, letters: str, size: Size) -> None:
    """Make a table of that size, its checkpoint ten versions before the newest."""
    open_table(events_table(uri, PIPELINE, AUTHOR, ("event_date",)))
    open_table(dead_letter_table(letters, PIPELINE))
    names = (f"event_date=2026-01-01/{number:07}.parquet" for number in range(size.files))
    adds = [{"add": _NAMED | {"path": name, "partitionValues": _PARTITION}} for name in names]
    for version in range(1, size.versions):
        _write_entry(uri, version, adds if version == 1 else [])
        if version == size.versions - 10:
            DeltaTable(uri).create_checkpoint()


def _write_entry(uri: str, version: int, actions: list[Any]) -> None:
    counts = json.dumps({"add": len(actions)})
    info = {"operation": "WRITE", "timestamp": 1, "trivium_actions": counts, "trivium_durable_up_to": str(version - 1)}
    lines = map(json.dumps, [{"commitInfo": info}, *actions])
    Path(uri, entry_path(version)).write_text("\n".join(lines))


def _files(uri: str) -> Iterator[DataFile]:
    columns = {name: [f"{name}"] * ROWS for name in ("event_id", "_event_type", "_logic", "_plan", "_source")}
    columns |= {"event_time": [MOMENT] * ROWS, "event_date": [MOMENT.date()] * ROWS, "_ingested_at": [MOMENT] * ROWS}
    columns |= {"_position": list(range(ROWS)), "_row": [0] * ROWS, "_enrichments": [None] * ROWS}
    kept = pa.schema([column for column in SCHEMA if column.name != "_runtime"])
    rows = pa.table({name: columns[name] for name in kept.names}, schema=kept)
    while True:
        writer = PartitionedFiles(Storage(uri), SCHEMA, ["event_date"], "unit", {"_runtime": "streaming"})
        writer.write(rows)
        yield from writer.close()


def _milliseconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1e3


def _table(found: list[Cost]) -> Table:
    table = Table("files", "versions", "partitions", "a start ms", "a commit ms", "deltalake by hand ms")
    for column in table.columns:
        column.justify = "right"
    for each in found:
        size = (f"{each.size.files:,}", f"{each.size.versions:,}", f"{each.size.partitions:,}")
        table.add_row(*size, f"{each.first:.0f}", f"{each.ours:.1f}", f"{each.deltalake:.1f}")
    return table


def _words(size: Size) -> str:
    return f"{size.files:,} files, {size.versions:,} versions, {size.partitions:,} partitions"


if __name__ == "__main__":
    main()
