"""Columns of a table that get a wider type: every row there at each step, whoever reads."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.proposals import Append
from tests.support.sample_table import AUTHOR, PIPELINE, SCHEMA, Tables, day, event_rows, write_rows
from tests.support.table_readers import READERS, Predicate
from trivium.delivery.commit import widen
from trivium.delivery.commit.committer import commit
from trivium.delivery.commit.widen import widen_columns
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import CommitRaceLost, OutcomeUnknown, PreconditionFailed
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.maintenance.ledger import commits
from trivium.delivery.table import TableSpec, events_table, open_table, written_columns

WIDE = AUTHOR.set(2, pa.field("delay", pa.int64()))
NARROW = AUTHOR.set(2, pa.field("delay", pa.int16()))


def spec(tables: Tables, author: pa.Schema) -> TableSpec:
    return events_table(tables.uri, PIPELINE, author, ["event_date"])


@pytest.fixture
def filled(tables: Tables) -> Tables:
    """Files with the column, of both runtimes, and one without it."""
    lacking = event_rows({"none": day(1)}).drop_columns(["delay"])
    files = [
        *write_rows(tables.uri, event_rows({"a": day(0)}, delay=7)),
        *write_rows(tables.uri, event_rows({"b": day(1)}, delay=2**31 - 1), "streaming"),
        *write_rows(tables.uri, lacking),
    ]
    commit(tables.uri, Append(tuple(files)), tables.clock)
    return tables


def test_files_with_the_column_are_written_anew(filled: Tables) -> None:
    before, version = set(filled.snapshot.active), filled.snapshot.version
    configuration = filled.snapshot.configuration
    opened = open_table(spec(filled, WIDE), filled.clock)
    assert opened.version == version + 2
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None}
    assert len(before & set(opened.active)) == 1
    for path in set(opened.active) - before:
        assert pq.read_schema(f"{filled.uri}/{path}").field("delay").type == pa.int64()
    assert pa.schema(opened.schema.to_arrow()).field("delay").type == pa.int64()
    assert opened.configuration == configuration
    columns, files = (each.metadata for each in commits(filled.uri)[-2:])
    assert (columns["kind"], columns["columns"]) == ("widen", '["delay"]')
    assert (files["kind"], files["files"]) == ("widen_files", "2")
    assert open_table(spec(filled, WIDE), filled.clock).version == opened.version


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("step", ["columns", "files"])
def test_every_reader_finds_the_rows_at_each_step(filled: Tables, reader: str, step: str) -> None:
    widen_columns(filled.uri, PIPELINE, spec(filled, WIDE).schema, filled.clock)
    if step == "files":
        open_table(spec(filled, WIDE), filled.clock)
    for predicate, expected in (
        (Predicate(("delay",), ">", 100), ["b"]),
        (Predicate(("delay",), "=", 7), ["a"]),
        (Predicate(("delay",), "is null"), ["none"]),
    ):
        found = READERS[reader](filled.uri, predicate)
        assert found is None or sorted(found) == expected


def test_a_pipeline_with_a_narrower_type_writes_the_table_s(filled: Tables) -> None:
    opened = open_table(spec(filled, NARROW), filled.clock)
    assert opened.version == filled.snapshot.version
    written = written_columns(opened, NARROW)
    assert written.field("delay").type == pa.int32()
    rows = event_rows({"c": day(2)}, delay=3)
    place = rows.column_names.index("delay")
    narrow = rows.set_column(place, pa.field("delay", pa.int16()), rows["delay"].cast(pa.int16()))
    files = write_rows(filled.uri, narrow, schema=table_schema(written))
    commit(filled.uri, Append(files), filled.clock)
    assert filled.content()["c"] == 3


def test_a_column_that_is_not_written_any_more_stays_and_comes_back(filled: Tables) -> None:
    version = filled.snapshot.version
    opened = open_table(spec(filled, AUTHOR.remove(2)), filled.clock)
    assert (opened.version, "delay" in pa.schema(opened.schema.to_arrow()).names) == (version, True)
    rows = event_rows({"c": day(2)}).drop_columns(["delay"])
    commit(filled.uri, Append(write_rows(filled.uri, rows, schema=table_schema(AUTHOR.remove(2)))), filled.clock)
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None, "c": None}
    assert open_table(spec(filled, AUTHOR), filled.clock).version == version + 1


def test_a_run_that_began_before_the_widening_is_stopped(filled: Tables) -> None:
    late = write_rows(filled.uri, event_rows({"late": day(0)}))

    class OfTheOldRelease(Append):
        def change(self, snapshot: Snapshot) -> Any:
            change = super().change(snapshot)
            return type(change)(add=change.add, transactions=change.transactions, columns=SCHEMA)

    open_table(spec(filled, WIDE), filled.clock)
    with pytest.raises(PreconditionFailed, match="column delay has become long, these files were written for integer"):
        commit(filled.uri, OfTheOldRelease(late), filled.clock)
    assert "late" not in filled.content()


POINTS = [f"widen.{what}.{when}_commit" for what in ("columns", "files") for when in ("before", "after")]


@pytest.mark.parametrize("point", POINTS)
def test_a_start_goes_on_where_another_was_killed(filled: Tables, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    version = filled.snapshot.version
    monkeypatch.setattr("trivium.delivery.commit.committer._ATTEMPTS", 1)
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    with pytest.raises((CommitRaceLost, OutcomeUnknown)):
        open_table(spec(filled, WIDE), filled.clock)
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None}
    monkeypatch.undo()
    opened = open_table(spec(filled, WIDE), filled.clock)
    assert opened.version == version + 2
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None}
    assert {str(pq.read_schema(f"{filled.uri}/{path}").field("delay").type) for path in with_delay(filled)} == {"int64"}


def with_delay(tables: Tables) -> list[str]:
    return [path for path in tables.snapshot.active if "delay" in pq.read_schema(f"{tables.uri}/{path}").names]


@pytest.mark.parametrize("point", POINTS)
def test_a_lost_answer_widens_once(filled: Tables, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    version = filled.snapshot.version
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    monkeypatch.setattr(
        filled.clock, "sleep", lambda _seconds: monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
    )
    assert open_table(spec(filled, WIDE), filled.clock).version == version + 2
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None}


def test_rows_committed_meanwhile_are_widened_too(filled: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    real, late = widen.WiderFiles.change, [write_rows(filled.uri, event_rows({"late": day(0)}, delay=9), "streaming")]

    def change(self: Any, snapshot: Snapshot) -> Any:
        made = real(self, snapshot)
        if late:
            commit(filled.uri, Append(late.pop()), filled.clock)
        return made

    monkeypatch.setattr(widen.WiderFiles, "change", change)
    opened = open_table(spec(filled, WIDE), filled.clock)
    assert filled.content() == {"a": 7, "b": 2**31 - 1, "none": None, "late": 9}
    assert opened.version == filled.snapshot.version
    assert {str(pq.read_schema(f"{filled.uri}/{path}").field("delay").type) for path in with_delay(filled)} == {"int64"}
