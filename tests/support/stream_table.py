"""Runs of a stream over the two tables of `sample_table`, without Kafka: outcomes are written as text.

`{"flights/0": (10, "eer.d")}` is a stretch of partition 0 from offset 10: two emitted, one rejected, a hole, a dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tests.support.sample_table import PIPELINE, SCHEMA, Tables, day, event_rows, letter_rows, write_rows
from trivium.delivery.commit.committer import Landed
from trivium.delivery.commit.generation import take_generation
from trivium.delivery.commit.positions import RUNTIME, Adoption, Positions, adopt, source_name, topic_of
from trivium.delivery.commit.stream import OffsetRange, StreamCommit, commit_epoch
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.schema import SCHEMA as LETTERS
from trivium.delivery.dead_letters.schema import reject_files
from trivium.delivery.dead_letters.stream import CleanUp, StreamLetters, append, remove_uncounted
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.storage.storage import Storage

Stretches = Mapping[str, tuple[int, str]]

PARTITIONS = ("flights/0", "flights/1")
IDENTITIES = {"flights": 4711}


def offsets(stretch: tuple[int, str], outcome: str) -> list[int]:
    """The offsets of a stretch that had an outcome."""
    start, outcomes = stretch
    return [start + index for index, each in enumerate(outcomes) if each == outcome]


def range_of(stretch: tuple[int, str]) -> OffsetRange:
    start, outcomes = stretch
    kinds = Counter(outcomes)
    read = len(outcomes) - kinds["."]
    return OffsetRange(start, start + len(outcomes), read, kinds["e"], kinds["d"], kinds["r"])


def rows_at(source: str, positions: Iterable[int]) -> pa.Table:
    """One row per position."""
    wanted = list(positions)
    rows = event_rows({f"{source}:{position}": day(0) for position in wanted})
    return _with(_with(rows, "_source", [source] * len(wanted)), "_position", wanted)


def letters_at(source: str, positions: Iterable[int]) -> pa.Table:
    """One dead letter per position."""
    wanted = list(positions)
    rows = letter_rows([None] * len(wanted))
    return _with(_with(rows, "source", [source] * len(wanted)), "position", wanted)


def _with(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    field = rows.schema.field(name)
    return rows.set_column(rows.column_names.index(name), field, pa.array(values, field.type))


@dataclass
class StreamTables(Tables):
    """The two tables, as a stream and its readers see them."""

    def begin_stream(self, epoch: int = 0, partitions: tuple[str, ...] = PARTITIONS) -> Run:
        """A run that has taken its generation."""
        return Run(self, take_generation(self.uri, self.letters_uri, PIPELINE, RUNTIME, self.clock), epoch, partitions)

    def start(self, epoch: int = 0, partitions: tuple[str, ...] = PARTITIONS) -> Run:
        """A run that has also cleaned up."""
        run = self.begin_stream(epoch, partitions)
        run.removed = run.clean_up()
        return run

    def adopted(self, at: int = 0) -> Run:
        """A run that has also given the partitions their first positions."""
        run = self.start()
        run.adopt(dict.fromkeys(PARTITIONS, at))
        return run

    def positions(self, partitions: tuple[str, ...] = PARTITIONS) -> Positions:
        return Positions.of(self.snapshot, PIPELINE, partitions)

    def letter_positions(self) -> dict[str, int | None]:
        return dict(Positions.of(Snapshot.latest(self.letters_uri), PIPELINE, PARTITIONS).next)

    def rows(self) -> Counter[tuple[str, int]]:
        """How many streaming rows each (source, position) has."""
        found = self.snapshot.table.to_pyarrow_table(columns=["_source", "_position", "_runtime"]).to_pylist()
        return Counter((row["_source"], row["_position"]) for row in found if row["_runtime"] == RUNTIME)

    def all_letters(self) -> Counter[tuple[str, int]]:
        """Every letter that is there, whether it counts or not."""
        snapshot = Snapshot.latest(self.letters_uri)
        return _places(snapshot.rows_of(list(snapshot.active), LETTERS))

    def counted_letters(self) -> Counter[tuple[str, int]]:
        """What readers are shown."""
        letters = dead_letters.read(self.letters_uri, self.uri)
        assert dead_letters.count(self.letters_uri, self.uri).rejected == letters.num_rows
        return _places(letters)


@dataclass
class Run:
    """One incarnation of the stream's driver."""

    tables: StreamTables
    generation: int
    epoch: int = 0
    partitions: tuple[str, ...] = PARTITIONS
    removed: int = field(default=0, init=False)

    def clean_up(self) -> int:
        storage = Storage(self.tables.letters_uri)
        proposal = CleanUp(PIPELINE, self.generation, storage, self.tables.snapshot, self.partitions)
        return remove_uncounted(self.tables.letters_uri, proposal, self.tables.clock)

    def adopt(self, positions: Mapping[str, int], identities: Mapping[str, int] | None = None) -> Landed:
        topics = {topic_of(name) for name in positions}
        known = identities or {topic: IDENTITIES.get(topic, 1) for topic in topics}
        return adopt(self.tables.uri, Adoption(PIPELINE, self.generation, positions, known), self.tables.clock)

    def files(self, stretches: Stretches) -> tuple[DataFile, ...]:
        """The rows of an epoch, written."""
        parts = [rows_at(source_name(name, self.epoch), offsets(each, "e")) for name, each in stretches.items()]
        rows = pa.concat_tables(parts)
        return write_rows(self.tables.uri, rows, RUNTIME) if rows.num_rows else ()

    def letter_files(self, stretches: Stretches) -> tuple[DataFile, ...]:
        """The dead letters of an epoch, written."""
        writer = reject_files(Storage(self.tables.letters_uri), str(self.generation), RUNTIME)
        for name, each in stretches.items():
            writer.write(letters_at(source_name(name, self.epoch), offsets(each, "r")))
        return tuple(writer.close())

    def letters(self, stretches: Stretches) -> Landed:
        """Append an epoch's dead letters."""
        ranges = {name: (start, start + len(outcomes)) for name, (start, outcomes) in stretches.items()}
        proposal = StreamLetters(PIPELINE, self.generation, self.letter_files(stretches), ranges)
        return append(self.tables.letters_uri, proposal, self.tables.clock)

    def proposal(self, stretches: Stretches) -> StreamCommit:
        ranges = {name: range_of(each) for name, each in stretches.items()}
        balance = {"departure": {"read": sum(each.read for each in ranges.values())}}
        return StreamCommit(PIPELINE, self.generation, self.files(stretches), ranges, balance, "l1", "p1")

    def commit(self, proposal: StreamCommit) -> Landed:
        return commit_epoch(self.tables.uri, proposal, SCHEMA, self.tables.clock)

    def run_epoch(self, stretches: Stretches) -> Landed:
        """A whole epoch: letters if there are any, then rows and positions."""
        if any("r" in outcomes for _, outcomes in stretches.values()):
            self.letters(stretches)
        return self.commit(self.proposal(stretches))


def _places(letters: pa.Table) -> Counter[tuple[str, int]]:
    return Counter(zip(letters["source"].to_pylist(), letters["position"].to_pylist(), strict=True))
