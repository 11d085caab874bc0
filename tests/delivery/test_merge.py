from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.delivery.sample_table import SCHEMA, Tables, day, event_rows, write_rows
from tests.delivery.test_committer import Append
from trivium.delivery import committer
from trivium.delivery.merge import MergeInputs, merge_inputs, merge_sql, read

START = datetime(2026, 1, 5, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(ticks: int) -> int:
    return (START + timedelta(microseconds=ticks) - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Row:
    runtime: str
    event_type: str
    event_id: str
    day: int
    ingested: int
    source: str
    position: int
    number: int = 0


ROWS = st.lists(
    st.builds(
        Row,
        runtime=st.sampled_from(["batch", "streaming"]),
        event_type=st.sampled_from(["a", "b"]),
        event_id=st.sampled_from(["1", "2", "3"]),
        day=st.integers(0, 2),
        ingested=st.integers(0, 3),
        source=st.sampled_from(["s", "t"]),
        position=st.integers(0, 20),
        number=st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row.event_type, row.event_id, row.source, row.position, row.number),
)
COVERED = st.dictionaries(st.integers(0, 2), st.integers(0, 4))


def _oracle(rows: list[Row], covered: dict[int, int]) -> set[Row]:
    """The policy's paragraph, word by word."""
    batch = {(row.event_type, row.event_id) for row in rows if row.runtime == "batch"}

    def hidden(row: Row) -> bool:
        by_identity = (row.event_type, row.event_id) in batch
        by_cover = row.day in covered and row.ingested < covered[row.day]
        return row.runtime == "streaming" and (by_identity or by_cover)

    kept: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not hidden(row):
            kept.setdefault((row.event_type, row.event_id), []).append(row)
    key = lambda row: (row.runtime != "batch", -row.ingested, row.source, row.position, row.number)  # noqa: E731
    return {min(group, key=key) for group in kept.values()}


def _table(rows: list[Row]) -> pa.Table:
    base = event_rows({str(index): day(row.day) for index, row in enumerate(rows)}).to_pydict()
    base |= {
        "event_id": [row.event_id for row in rows],
        "_event_type": [row.event_type for row in rows],
        "_source": [row.source for row in rows],
        "_position": [row.position for row in rows],
        "_row": [row.number for row in rows],
        "_ingested_at": [START + timedelta(microseconds=row.ingested) for row in rows],
    }
    return pa.table(base, schema=pa.schema([column for column in SCHEMA if column.name != "_runtime"]))


def _found(table: pa.Table) -> set[Row]:
    rows = [
        Row(
            row["_runtime"],
            row["_event_type"],
            row["event_id"],
            (row["event_date"] - day(0)).days,
            (row["_ingested_at"] - START) // timedelta(microseconds=1),
            row["_source"],
            row["_position"],
            row["_row"],
        )
        for row in table.to_pylist()
    ]
    assert len(set(rows)) == len(rows)
    return set(rows)


def _polars(inputs: MergeInputs) -> pa.Table:
    events = pl.scan_delta(inputs.uri, version=inputs.version, use_pyarrow=True)
    return pl.SQLContext(events=events).execute(merge_sql(inputs, "polars")).collect().to_arrow()


def _fill(tables: Tables, rows: list[Row], covered: dict[int, int]) -> None:
    parts = {runtime: [row for row in rows if row.runtime == runtime] for runtime in ("batch", "streaming")}
    files = {name: write_rows(tables.uri, _table(part), name) for name, part in parts.items() if part}
    if "streaming" in files:
        committer.commit(tables.uri, Append(files["streaming"]), tables.clock)
    proposal = tables.proposal(tables.begin(), files.get("batch", ()))
    proposal.complete_as_of.update({day(number).isoformat(): _micros(ticks) for number, ticks in covered.items()})
    tables.commit(proposal)


@given(rows=ROWS, covered=COVERED)
@example(rows=[Row("streaming", "a", "1", 0, 1, "s", 1)], covered={0: 1})
@example(rows=[Row("streaming", "a", "1", 0, 1, "s", 1)], covered={0: 2})
@example(rows=[Row("streaming", "a", "1", 0, 2, "t", 1), Row("streaming", "a", "1", 0, 2, "s", 9)], covered={})
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_engines_agree_with_the_policy(tmp_path_factory, rows: list[Row], covered: dict[int, int]):
    folder: Path = tmp_path_factory.mktemp("merge")
    tables = Tables(folder)
    _fill(tables, rows, covered)
    merged = read(tables.uri)
    assert merged.schema.names == SCHEMA.names
    assert _found(merged) == _found(_polars(merge_inputs(tables.uri))) == _oracle(rows, covered)
    shutil.rmtree(folder)


def test_a_pinned_version_keeps_its_own_cover(tables: Tables):
    _fill(tables, [Row("streaming", "a", "1", 0, 1, "s", 1)], {})
    before = tables.snapshot.version
    _fill(tables, [Row("batch", "a", "2", 0, 1, "s", 2)], {0: 3})
    assert {row.event_id for row in _found(read(tables.uri, before))} == {"1"}
    assert {row.event_id for row in _found(read(tables.uri))} == {"2"}
    assert merge_inputs(tables.uri, before).complete_as_of == {}
    assert merge_inputs(tables.uri).complete_as_of == {"2026-01-01": _micros(3)}


def test_reading_as_of_a_time(tables: Tables):
    _fill(tables, [Row("batch", "a", "1", 0, 1, "s", 1)], {})
    committed = tables.snapshot.table.history(1)[0]["timestamp"]
    moment = datetime.fromtimestamp(committed / 1000, tz=UTC)
    assert _found(read(tables.uri, moment)) == _found(read(tables.uri))


def test_an_empty_table_reads_as_no_rows(tables: Tables):
    assert read(tables.uri).num_rows == 0


@pytest.mark.parametrize("dialect", ["duckdb", "polars", "spark"])
@pytest.mark.parametrize("covered", [{}, {"2026-01-01": 1, "2026-01-02": 1_767_225_600_000_001}])
def test_the_text_parses_and_says_how_to_name_the_relation(dialect, covered: dict[str, int]):
    inputs = MergeInputs("/lake/flights", 7, "flights", tuple(SCHEMA.names), covered)
    text = merge_sql(inputs, dialect)
    assert text.startswith("-- ")
    assert "/lake/flights" in text.split("WITH")[0]
    assert "7" in text.split("WITH")[0]
    parsed = sqlglot.parse_one(text, dialect="spark" if dialect == "spark" else "duckdb")
    assert [column.alias_or_name for column in parsed.selects] == SCHEMA.names
    assert ("2026-01-01 00:00:00.000001+00:00" in text) == bool(covered)


def test_days_are_dates(tables: Tables):
    _fill(tables, [Row("batch", "a", "1", 0, 1, "s", 1)], {})
    assert read(tables.uri)["event_date"].to_pylist() == [date(2026, 1, 1)]
