from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import sqlglot
from deltalake import CommitProperties, DeltaTable, Transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.proposals import Append
from tests.support.sample_table import SCHEMA, Tables, day, event_rows, write_rows
from trivium.delivery.commit import committer
from trivium.delivery.coverage.documents import Covered, Reading, RunCoverage
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.delivery.errors import StorageError
from trivium.delivery.merge.query import MergeInputs, merge_inputs, merge_sql, read

START = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS = [0, 1, 12, 23]
"""Times of a day; those of ingestion are a microsecond off, so that both sides of every moment are met."""

Cover = dict[str, dict[str, dict[str, int]]]


def _moment(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _iso(number: int) -> str:
    return day(number).isoformat()


@dataclass(frozen=True)
class Row:
    runtime: str
    event_type: str
    event_id: str
    day: int
    ingested: datetime
    source: str
    position: int
    number: int = 0


INGESTED = st.builds(
    lambda number, hours, off: _moment(24 * number + hours) + timedelta(microseconds=off),
    st.integers(-1, 4),
    st.sampled_from(HOURS),
    st.integers(-1, 1),
)
ROWS = st.lists(
    st.builds(
        Row,
        runtime=st.sampled_from(["batch", "streaming"]),
        event_type=st.sampled_from(["a", "b"]),
        event_id=st.sampled_from(["1", "2", "3"]),
        day=st.integers(0, 2),
        ingested=INGESTED,
        source=st.sampled_from(["s", "t"]),
        position=st.integers(0, 20),
        number=st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row.event_type, row.event_id, row.source, row.position, row.number),
)
MOMENTS = st.builds(lambda hours: _micros(_moment(hours)), st.sampled_from([0, 12, 24, 36, 48, 72, 96, 2400]))
COMPLETE = st.one_of(
    st.dictionaries(st.integers(0, 4).map(_iso), MOMENTS, min_size=1, max_size=4),
    st.fixed_dictionaries({ALL_DAYS: MOMENTS}),
)
COVERED = st.dictionaries(
    st.integers(0, 2).map(_iso), st.dictionaries(st.sampled_from(["a", "b"]), COMPLETE, min_size=1), max_size=3
)


def _oracle(rows: list[Row], covered: Cover) -> set[Row]:
    """The policy's paragraph, word by word."""
    batch = {(row.event_type, row.event_id) for row in rows if row.runtime == "batch"}

    def hidden(row: Row) -> bool:
        complete = covered.get(_iso(row.day), {}).get(row.event_type, {})
        before = max(complete.get(row.ingested.date().isoformat(), 0), complete.get(ALL_DAYS, 0))
        by_identity = (row.event_type, row.event_id) in batch
        return row.runtime == "streaming" and (by_identity or _micros(row.ingested) < before)

    kept: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not hidden(row):
            kept.setdefault((row.event_type, row.event_id), []).append(row)
    key = lambda row: (row.runtime != "batch", -_micros(row.ingested), row.source, row.position, row.number)  # noqa: E731
    return {min(group, key=key) for group in kept.values()}


def _table(rows: list[Row]) -> pa.Table:
    base = event_rows({str(index): day(row.day) for index, row in enumerate(rows)}).to_pydict()
    base |= {
        "event_id": [row.event_id for row in rows],
        "_event_type": [row.event_type for row in rows],
        "_source": [row.source for row in rows],
        "_position": [row.position for row in rows],
        "_row": [row.number for row in rows],
        "_ingested_at": [row.ingested for row in rows],
    }
    return pa.table(base, schema=pa.schema([column for column in SCHEMA if column.name != "_runtime"]))


def _found(table: pa.Table) -> set[Row]:
    rows = [
        Row(
            row["_runtime"],
            row["_event_type"],
            row["event_id"],
            (row["event_date"] - day(0)).days,
            row["_ingested_at"],
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


def _fill(tables: Tables, rows: list[Row], covered: Cover) -> None:
    parts = {runtime: [row for row in rows if row.runtime == runtime] for runtime in ("batch", "streaming")}
    files = {name: write_rows(tables.uri, _table(part), name) for name, part in parts.items() if part}
    if "streaming" in files:
        committer.commit(tables.uri, Append(files["streaming"]), tables.clock)
    generation, scope = tables.begin(), Scope(None, frozenset("ab"), frozenset(covered))
    days = {each: [Covered([name], complete) for name, complete in types.items()] for each, types in covered.items()}
    proposal = tables.proposed(generation, (), scope, Reading({}, {}))
    outside = replace(scope, left_out=frozenset())
    covers = RunCoverage(generation, days=days, after=proposal.covered.after)
    proposal = replace(proposal, scope=outside, files=files.get("batch", ()), covered=covers)
    tables.commit(proposal)


NOON = _moment(12)


@given(rows=ROWS, covered=COVERED)
@example(rows=[Row("streaming", "a", "1", 0, NOON, "s", 1)], covered={_iso(0): {"a": {_iso(0): _micros(NOON)}}})
@example(rows=[Row("streaming", "a", "1", 0, NOON, "s", 1)], covered={_iso(0): {"a": {_iso(0): _micros(NOON) + 1}}})
@example(rows=[Row("streaming", "a", "1", 0, NOON, "t", 1), Row("streaming", "a", "1", 0, NOON, "s", 9)], covered={})
@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_engines_agree_with_the_policy(tmp_path_factory, rows: list[Row], covered: Cover):
    folder: Path = tmp_path_factory.mktemp("merge")
    tables = Tables(folder)
    _fill(tables, rows, covered)
    merged = read(tables.uri)
    assert merged.schema.names == SCHEMA.names
    assert _found(merged) == _found(_polars(merge_inputs(tables.uri))) == _oracle(rows, covered)
    shutil.rmtree(folder)


def test_the_session_s_time_zone_does_not_matter(tables: Tables):
    row = Row("streaming", "a", "1", 0, _moment(23), "s", 1)
    _fill(tables, [row], {_iso(0): {"a": {_iso(0): _micros(_moment(48))}}})
    inputs = merge_inputs(tables.uri)
    events = tables.snapshot.table.to_pyarrow_dataset()
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        with duckdb.connect() as connection:
            connection.execute(f"SET TimeZone = '{zone}'")
            connection.register("events", events)
            assert connection.sql(merge_sql(inputs, "duckdb")).to_arrow_table().num_rows == 0


def test_a_pinned_version_keeps_its_own_cover(tables: Tables):
    _fill(tables, [Row("streaming", "a", "1", 0, NOON, "s", 1)], {})
    before = tables.snapshot.version
    covered = {_iso(0): {"a": {_iso(0): _micros(_moment(24))}}}
    _fill(tables, [Row("batch", "a", "2", 0, NOON, "s", 2)], covered)
    assert {row.event_id for row in _found(read(tables.uri, before))} == {"1"}
    assert {row.event_id for row in _found(read(tables.uri))} == {"2"}
    assert merge_inputs(tables.uri, before).coverage == {}
    assert merge_inputs(tables.uri).coverage == covered


def test_a_document_that_is_gone_is_named_and_a_new_run_writes_another(tables: Tables):
    _fill(tables, [Row("streaming", "a", "1", 0, NOON, "s", 1)], {_iso(0): {"a": {_iso(0): _micros(_moment(24))}}})
    for path in Path(tables.uri, "_trivium/coverage").iterdir():
        path.unlink()
    with pytest.raises(StorageError, match=r"coverage/1\.json: expected what a batch run covered"):
        read(tables.uri)
    _fill(tables, [Row("batch", "a", "2", 0, NOON, "s", 2)], {_iso(0): {"a": {_iso(0): _micros(_moment(24))}}})
    assert {row.event_id for row in _found(read(tables.uri))} == {"2"}


def test_a_table_of_a_version_without_documents_hides_nothing_but_by_identity(tables: Tables):
    _fill(tables, [Row("streaming", "a", "1", 0, NOON, "s", 1), Row("batch", "a", "2", 0, NOON, "s", 2)], {})
    old = CommitProperties(
        app_transactions=[Transaction(f"flights/batch/complete_as_of/{_iso(0)}", _micros(_moment(99)))]
    )
    DeltaTable(tables.uri).create_write_transaction(
        [], mode="append", schema=tables.snapshot.schema, partition_by=["event_date", "_runtime"], commit_properties=old
    )
    assert {row.event_id for row in _found(read(tables.uri))} == {"1", "2"}


def test_reading_as_of_a_time(tables: Tables):
    _fill(tables, [Row("batch", "a", "1", 0, NOON, "s", 1)], {})
    committed = tables.snapshot.table.history(1)[0]["timestamp"]
    moment = datetime.fromtimestamp(committed / 1000, tz=UTC)
    assert _found(read(tables.uri, moment)) == _found(read(tables.uri))


def test_an_empty_table_reads_as_no_rows(tables: Tables):
    assert read(tables.uri).num_rows == 0


@pytest.mark.parametrize("dialect", ["duckdb", "polars", "spark"])
@pytest.mark.parametrize("covered", [{}, {"2026-01-01": {"a": {"2026-01-01": 1_767_225_600_000_001}}}])
def test_the_text_parses_and_says_how_to_name_the_relation(dialect, covered: Cover):
    inputs = MergeInputs("/lake/flights", 7, "flights", tuple(SCHEMA.names), covered)
    text = merge_sql(inputs, dialect)
    assert text.startswith("-- ")
    assert "/lake/flights" in text.split("WITH")[0]
    assert "7" in text.split("WITH")[0]
    parsed = sqlglot.parse_one(text, dialect="spark" if dialect == "spark" else "duckdb")
    assert [column.alias_or_name for column in parsed.selects] == SCHEMA.names
    assert ("2026-01-01 00:00:00.000001+00:00" in text) == bool(covered)


@pytest.mark.parametrize("dialect", ["duckdb", "polars", "spark"])
def test_years_of_nightly_days_and_fifty_types_are_a_short_text(dialect):
    nights = {_iso(n): _micros(_moment(24 * n + 24 + 3)) for n in range(1000)}
    types = {f"type{number}": frozenset(nights) for number in range(50)}
    quiet = {"refund": frozenset(_iso(n) for n in range(0, 1000, 7))}
    reading = Reading(nights, types | quiet, late_days=1)
    covered = {each: reading.covers(each) for each in nights}
    text = merge_sql(MergeInputs("/lake/flights", 7, "flights", tuple(SCHEMA.names), covered), dialect)
    sqlglot.parse_one(text, dialect="spark" if dialect == "spark" else "duckdb")
    assert len(text) < 100_000, len(text)
    only = {each: {name: value for name, value in one.items() if name != "refund"} for each, one in covered.items()}
    assert len(merge_sql(MergeInputs("/lake/flights", 7, "flights", ("a",), only), dialect)) < 3_000


def test_days_are_dates(tables: Tables):
    _fill(tables, [Row("batch", "a", "1", 0, NOON, "s", 1)], {})
    assert read(tables.uri)["event_date"].to_pylist() == [date(2026, 1, 1)]
