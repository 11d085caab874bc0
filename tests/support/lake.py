"""A table with its batch runs and streamed rows, by the code under test, over logs in memory and a made-up archive.

Everything but decoding and executors is the real thing: source days, scope, files, dead letters, coverage, commit and
the merged reading. An archive maps source days to inputs; days are numbers from 0.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tests.support.emitted_rows import emitted_rows
from tests.support.proposals import Append
from tests.support.sample_table import AUTHOR, PIPELINE, SCHEMA, InstantClock, day, letter_rows, write_rows
from tests.support.stream_world import MemoryBackend
from trivium.config.model.pipeline import Batch
from trivium.config.model.sources import ParquetSource
from trivium.connectors.archive.slices import Slice
from trivium.connectors.archive.units import RowGroup, SourceFile, SourcePlan
from trivium.core.errors import RunError
from trivium.delivery.commit import committer
from trivium.delivery.commit.claims import claim_generation
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.schema import reject_files
from trivium.delivery.delta import handle as delta_handle
from trivium.delivery.delta import snapshot
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.merge import query as merge
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.delivery.storage.token import StorageToken
from trivium.delivery.table import events_table
from trivium.engine.batch import RawBatch
from trivium.engine.outcomes import Outcomes, Reject
from trivium.runtimes.batch.commit import commit_results
from trivium.runtimes.batch.job import Job, UnitResult
from trivium.runtimes.batch.prepare import Prepared
from trivium.runtimes.batch.source import check_nothing_left_out, source_of
from trivium.runtimes.batch.source_days import MissingDays
from trivium.runtimes.batch.window import restrict

Fate = Literal["row", "drop", "reject"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Input:
    """An input of the archive, and what becomes of it."""

    kind: str
    name: str
    event_day: int
    fate: Fate = "row"


@dataclass(frozen=True)
class Streamed:
    """A streamed row."""

    kind: str
    name: str
    event_day: int
    ingested: datetime


@dataclass(frozen=True)
class Call:
    """The arguments of a run; `apart` False writes files that mix types, as older versions did."""

    window: tuple[int, int] | None = None
    types: frozenset[str] = frozenset("ab")
    missing: MissingDays = "refuse"
    complete: datetime | None = None
    apart: bool = True


Archive = Mapping[int, Sequence[Input]]
Reading = set[tuple[str, str, str]]


def moment(number: int, hours: float = 0) -> datetime:
    """A time of a day."""
    midnight = datetime.combine(day(number), datetime.min.time(), UTC)
    return midnight + timedelta(hours=hours)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


def path_of(number: int) -> str:
    """The one file of a source day."""
    return f"day={day(number)}/part-0.parquet"


class Lake:
    """The table and its dead letters."""

    def __init__(self, folder: Path, late_days: int, patch: Any) -> None:
        self.uri, self.letters_uri = str(folder / "table"), str(folder / "letters")
        self.backend = MemoryBackend()
        self.backend.create(events_table(self.uri, PIPELINE, AUTHOR, ["event_date"]))
        self.backend.create(dead_letters.dead_letter_table(self.letters_uri, PIPELINE))
        patch.setattr(delta_handle, "DeltaTable", lambda uri, **_: self.backend.open(uri))  # of older versions
        patch.setattr(snapshot, "newest", lambda uri: self.backend.newest(uri, {}))
        patch.setattr(committer, "write_entry", self.backend.write)
        patch.setattr(os, "fsync", lambda _: None)  # no power cuts here; thousands of small files are written
        self.clock, self.late_days = InstantClock(), late_days
        source = ParquetSource(type="parquet", path="/archive", value_column="value", day_column="day")
        self.batch = Batch(source=source, late_days=late_days)
        self._positions = itertools.count()

    @property
    def version(self) -> int:
        return len(self.backend.logs[self.uri].versions) - 1

    def stream(self, rows: Sequence[Streamed]) -> None:
        """Append streamed rows."""
        if rows:
            table = _rows(
                [(row.kind, row.name, row.event_day, row.ingested, "events/0") for row in rows], self._positions
            )
            committer.commit(self.uri, Append(write_rows(self.uri, table, "streaming")), self.clock)

    def run(self, archive: Archive, written: Mapping[int, datetime], call: Call) -> str | None:
        """A batch run over the archive; returns why it was refused."""
        try:
            return self._run(archive, written, call)
        except RunError as error:
            return str(error)

    def _run(self, archive: Archive, written: Mapping[int, datetime], call: Call) -> None:
        window = None if call.window is None else Window(day(call.window[0]), day(call.window[1]))
        plan = SourcePlan(tuple(_file(number, archive[number], written[number]) for number in sorted(archive)))
        asked = Scope(window, call.types, untyped=call.types == frozenset("ab"))
        source = source_of(plan, self.batch, self.uri, asked, call.missing)
        if window is not None:
            check_nothing_left_out(self.uri, source)
        generation = claim_generation(self.uri, self.letters_uri, PIPELINE, source.scope, self.clock)
        dead_letters.remove_uncounted(self.letters_uri, self.uri, PIPELINE, generation, self.clock)
        read = [number for number in sorted(archive) if day(number).isoformat() in source.days.read]
        result = self._unit({number: archive[number] for number in read}, source.scope, call)
        token = StorageToken(self.uri, "", "")
        job = Job(b"", {}, "", generation, source.scope, {}, {}, token)
        config = SimpleNamespace(
            table=SimpleNamespace(path=self.uri), dead_letters=SimpleNamespace(path=self.letters_uri), batch=self.batch
        )
        plan_hashes = SimpleNamespace(logic_short="l1", plan_short="p1")
        pipeline: Any = SimpleNamespace(name=PIPELINE, config=config, plan=plan_hashes, table_columns=AUTHOR)
        prepared = Prepared(pipeline, job, source, {}, 0, source.complete(call.complete))
        commit_results(prepared, [result], self.clock, 0.0)

    def _unit(self, archive: Archive, scope: Scope, call: Call) -> UnitResult:
        """What the worker makes of a unit, without an executor."""
        inputs = [
            (number, place, each) for number, day_inputs in archive.items() for place, each in enumerate(day_inputs)
        ]
        part = Slice(
            RawBatch([], "archive", np.empty(0, np.int64)),
            [(day(number).isoformat(), len(day_inputs)) for number, day_inputs in archive.items() if day_inputs],
        )
        out = Outcomes(len(inputs))
        for kind in sorted({each.kind for _, _, each in inputs}):
            if kind not in call.types:
                out.dropped["_unrouted"] = np.array(
                    [n for n, one in enumerate(inputs) if one[2].kind not in call.types]
                )
                continue
            rows = [n for n, (_, _, each) in enumerate(inputs) if (each.kind, each.fate) == (kind, "row")]
            if rows:
                table = _rows([_archived(*inputs[n]) for n in rows], self._positions)
                out.emitted[kind] = emitted_rows(kind, table.combine_chunks().to_batches()[0], rows)
            dropped = [n for n, (_, _, each) in enumerate(inputs) if (each.kind, each.fate) == (kind, "drop")]
            if dropped:
                out.dropped[kind] = np.array(dropped, np.int64)
        out.rejects = [
            Reject(n, "process", "bad", "", each.kind)
            for n, (_, _, each) in enumerate(inputs)
            if each.fate == "reject" and each.kind in call.types
        ]
        written = restrict(out, part, scope)
        tables = [pa.Table.from_batches([each.made]) for each in written.emitted.values() if len(each)]
        apart = ("_event_type",) if call.apart else ()
        files = write_rows(self.uri, pa.concat_tables(tables), "batch", apart=apart) if tables else ()
        letters = [inputs[reject.index] for reject in written.rejects]
        return UnitResult(files, self._letters(letters), written.counts, held=written.held)

    def _letters(self, rejected: Sequence[tuple[int, int, Input]]) -> Any:
        writer = reject_files(Storage(self.letters_uri), "unit")
        if rejected:
            columns = letter_rows([day(number).isoformat() for number, _, _ in rejected]).to_pydict()
            columns |= {
                "event_type": [each.kind for _, _, each in rejected],
                "source": [path_of(number) for number, _, _ in rejected],
                "position": [place for _, place, _ in rejected],
            }
            schema = pa.schema([column for column in dead_letters.ROW_SCHEMA if column.name != "runtime"])
            writer.write(pa.table(columns, schema=schema))
        return tuple(writer.close())

    def reading(self) -> Reading:
        """What a reader sees: event type, identity and the runtime whose row it is."""
        rows = merge.read(self.uri).select(["_event_type", "event_id", "_runtime"]).to_pylist()
        assert len({(row["_event_type"], row["event_id"]) for row in rows}) == len(rows)
        return {(row["_event_type"], row["event_id"], row["_runtime"]) for row in rows}

    def letters(self) -> list[tuple[str, str, int]]:
        """The dead letters that count: event type, source and position."""
        rows = dead_letters.read(self.letters_uri, self.uri).to_pylist()
        return sorted((row["event_type"], row["source"], row["position"]) for row in rows)

    def batch_rows(self) -> list[tuple[str, str, str]]:
        """Batch's rows in the table: event type, identity, source."""
        table = Snapshot.latest(self.uri).table.to_pyarrow_dataset().to_table()
        rows = table.select(["_runtime", "_event_type", "event_id", "_source"]).to_pylist()
        kept = [row for row in rows if row["_runtime"] == "batch"]
        return sorted((row["_event_type"], row["event_id"], row["_source"]) for row in kept)


def _file(number: int, inputs: Sequence[Input], written: datetime) -> SourceFile:
    found = StoredFile(path_of(number), 1, micros(written))
    name = day(number).isoformat()
    groups = (RowGroup(len(inputs), name),) if inputs else ()
    return SourceFile(found, pa.schema([("value", pa.binary())]), groups, name)


def _archived(number: int, place: int, each: Input) -> tuple[str, str, int, datetime, str]:
    return each.kind, each.name, each.event_day, moment(40), path_of(number)


def _rows(rows: Sequence[tuple[str, str, int, datetime, str]], positions: Any) -> pa.Table:
    """Rows of the table: event type, identity, event day, time of ingestion, source."""
    count = len(rows)
    columns = {
        "event_id": [name for _, name, _, _, _ in rows],
        "event_time": [moment(number, 12) for _, _, number, _, _ in rows],
        "delay": [0] * count,
        "vector": [[]] * count,
        "event_date": [day(number) for _, _, number, _, _ in rows],
        "_event_type": [kind for kind, _, _, _, _ in rows],
        "_logic": ["l1"] * count,
        "_plan": ["p1"] * count,
        "_executor": ["e1"] * count,
        "_source": [source for _, _, _, _, source in rows],
        "_position": [next(positions) for _ in rows],
        "_row": [0] * count,
        "_ingested_at": [ingested for _, _, _, ingested, _ in rows],
        "_enrichments": [None] * count,
    }
    return pa.table(columns, schema=pa.schema([column for column in SCHEMA if column.name != "_runtime"]))
