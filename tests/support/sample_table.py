"""A small events table with real files, and the pieces of a batch run over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from trivium.delivery.commit.batch import BatchCommit, commit_batch
from trivium.delivery.commit.claims import claim_generation
from trivium.delivery.commit.committer import Landed
from trivium.delivery.coverage import documents as coverage
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta import transactions
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import events_table, open_table

PIPELINE = "flights"
AUTHOR = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("delay", pa.int32()),
        pa.field("vector", pa.list_(pa.field("item", pa.float32(), nullable=False))),
    ]
)
SCHEMA = table_schema(AUTHOR)
TYPES = frozenset({"departure"})
DAY = date(2026, 1, 1)
MOMENT = datetime(2026, 1, 9, tzinfo=UTC)


@dataclass
class InstantClock:
    """A clock whose sleeps take no time and are remembered."""

    slept: list[float] = field(default_factory=list)

    def now_us(self) -> int:
        return 1_767_225_600_000_000 + int(sum(self.slept) * 1e6)

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def event_rows(identities: Mapping[str, date], delay: int = 0) -> pa.Table:
    """One row per identity on its day."""
    days = list(identities.values())
    times = [datetime(d.year, d.month, d.day, 12, tzinfo=UTC) for d in days]
    constant = {"_event_type": "departure", "_logic": "l1", "_plan": "p1", "_executor": "e1", "_source": "raw.parquet"}
    columns = {
        "event_id": list(identities),
        "event_time": times,
        "delay": [delay] * len(days),
        "vector": [[1.0, 2.0]] * len(days),
        "event_date": days,
        **{name: [value] * len(days) for name, value in constant.items()},
        "_position": list(range(len(days))),
        "_row": [0] * len(days),
        "_ingested_at": [MOMENT] * len(days),
        "_enrichments": [None] * len(days),
    }
    schema = pa.schema([column for column in SCHEMA if column.name != "_runtime"])
    return pa.table(columns, schema=schema)


def write_rows(
    uri: str,
    rows: pa.Table,
    runtime: str = "batch",
    schema: pa.Schema = SCHEMA,
    apart: tuple[str, ...] = ("_event_type",),
) -> tuple[DataFile, ...]:
    """Files as the runtime writes them: batch one event type a file, unless `apart` is empty."""
    split = apart if runtime == "batch" else ()
    writer = PartitionedFiles(Storage(uri), schema, ["event_date"], "unit-1", {"_runtime": runtime}, split)
    writer.write(rows)
    return tuple(writer.close())


def letter_rows(source_days: Iterable[str | None], reason: str = "bad") -> pa.Table:
    days = list(source_days)
    columns = {
        "pipeline": [PIPELINE] * len(days),
        "event_type": ["departure"] * len(days),
        "stage": ["decode"] * len(days),
        "reason": [reason] * len(days),
        "error": [None] * len(days),
        "attempts": [1] * len(days),
        "value": [b"{"] * len(days),
        "value_format": ["json"] * len(days),
        "source": ["raw.parquet"] * len(days),
        "position": list(range(len(days))),
        "source_day": days,
        "executor": [None] * len(days),
        "logic": ["l1"] * len(days),
        "plan": ["p1"] * len(days),
        "rejected_at": [MOMENT] * len(days),
        **{name: [None] * len(days) for name in ("code_file", "code_line", "code_text", "code_trace")},
    }
    schema = pa.schema([column for column in dead_letters.ROW_SCHEMA if column.name in columns])
    return pa.table(columns, schema=schema)


@dataclass
class Tables:
    """The two tables of a pipeline in a folder, created."""

    folder: Path
    clock: InstantClock = field(default_factory=InstantClock)

    def __post_init__(self) -> None:
        open_table(events_table(self.uri, PIPELINE, AUTHOR, ["event_date"]))
        open_table(dead_letters.dead_letter_table(self.letters_uri, PIPELINE))

    @property
    def uri(self) -> str:
        return str(self.folder / "flights")

    @property
    def letters_uri(self) -> str:
        return str(self.folder / "flights_dead_letters")

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.latest(self.uri)

    def begin(self, window: Window | None = None, types: frozenset[str] = TYPES) -> int:
        return claim_generation(self.uri, self.letters_uri, PIPELINE, Scope(window, types), self.clock)

    def proposal(
        self, generation: int, files: tuple[DataFile, ...], window: Window | None = None, days: tuple[str, ...] = ()
    ) -> BatchCommit:
        reading = coverage.Reading(dict.fromkeys(days, 5), {name: frozenset(days) for name in TYPES})
        return self.proposed(generation, files, Scope(window, TYPES), reading)

    def proposed(
        self, generation: int, files: tuple[DataFile, ...], scope: Scope, reading: coverage.Reading
    ) -> BatchCommit:
        """A run of some scope that has read some source days."""
        balance = {"departure": {"read": sum(file.rows for file in files)}}
        source_days = tuple(reading.complete) or (transactions.ALL_DAYS,)
        covered = coverage.covering(self.uri, generation, scope, reading)
        return BatchCommit(PIPELINE, generation, scope, files, source_days, covered, balance, "l1", "p1")

    def commit(self, proposal: BatchCommit) -> Landed:
        return commit_batch(self.uri, proposal, SCHEMA, self.clock)

    def run(self, identities: Mapping[str, date], window: Window | None = None, delay: int = 0) -> Landed:
        """A whole batch run."""
        generation = self.begin()
        return self.commit(self.proposal(generation, write_rows(self.uri, event_rows(identities, delay)), window))

    def append_letters(self, generation: int, source_days: list[str | None], reason: str = "bad") -> None:
        writer = dead_letters.reject_files(Storage(self.letters_uri), "unit-1")
        writer.write(letter_rows(source_days, reason))
        days = tuple({d or transactions.ALL_DAYS for d in source_days})
        proposal = dead_letters.DeadLetterCommit(PIPELINE, generation, tuple(writer.close()), days, self.uri)
        dead_letters.append(self.letters_uri, proposal, self.clock)

    def content(self) -> dict[str, int]:
        """Delay by identity, as a reader of the table sees it; a doubled identity fails."""
        rows = self.snapshot.table.to_pyarrow_table(columns=["event_id", "delay"]).to_pylist()
        seen = {row["event_id"]: row["delay"] for row in rows}
        assert len(seen) == len(rows), f"{len(rows) - len(seen)} rows are doubled"
        return seen


class S3Tables(Tables):
    """The same in a bucket: `folder` is bucket and prefix."""

    @property
    def uri(self) -> str:
        return f"s3://{self.folder}/flights"

    @property
    def letters_uri(self) -> str:
        return f"s3://{self.folder}/flights_dead_letters"
