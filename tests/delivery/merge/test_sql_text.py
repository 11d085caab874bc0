"""A name or a path of somebody else is data in every statement that runs or is printed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import sqlglot
from deltalake import write_deltalake
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from trivium.delivery.errors import SchemaConflict
from trivium.delivery.merge.query import MergeInputs, merge_inputs, merge_sql, read
from trivium.delivery.merge.sql_text import Dialect, free_name, identifier, literal

DIALECTS: tuple[Dialect, ...] = ("duckdb", "polars", "spark")
CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
HOSTILE = st.sampled_from(
    ['"', "`", "'", "\n", "\r", ";", "--", "/*", "*/", "\\", "\u2028", "\x85", "{", "}", "%", "é", "日"]
)
TEXT = st.lists(st.one_of(HOSTILE, st.text(CHARACTERS, max_size=4)), min_size=1, max_size=8).map("".join)
NAME = TEXT.filter(bool)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ROW = {
    "event_id": "1",
    "event_time": MOMENT,
    "event_date": date(2026, 1, 1),
    "_event_type": "order",
    "_source": "s",
    "_position": 0,
    "_row": 0,
    "_ingested_at": MOMENT,
    "_runtime": "batch",
}
NAMES = [
    'width"inch',
    "back`tick",
    "a\nb",
    "semi;colon",
    "quo'te",
    "-- no comment",
    "/*x",
    "\\",
    "日本",
    " lead",
    "{uri}",
]


def _sqlglot(dialect: Dialect) -> str:
    return "spark" if dialect == "spark" else "duckdb"


@given(name=NAME)
@example(name='" FROM x; DROP TABLE y; --')
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_quoted_name_is_that_name_and_nothing_else(name: str) -> None:
    rows = pa.table({name: [7]})
    with duckdb.connect() as connection:
        connection.register("events", rows)
        assert connection.sql(f"SELECT {identifier(name, 'duckdb')} FROM events").to_arrow_table() == rows
    found = pl.SQLContext(events=pl.from_arrow(rows).lazy()).execute(f"SELECT {identifier(name, 'polars')} FROM events")
    assert found.collect().to_dicts() == [{name: 7}]
    (column,) = sqlglot.parse_one(f"SELECT {identifier(name, 'spark')} FROM events", dialect="spark").selects
    assert column.name == name


@given(text=TEXT)
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_literal_is_that_text(text: str) -> None:
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT {literal(text, 'duckdb')} AS said").fetchall() == [(text,)]
    one = pl.SQLContext(events=pl.LazyFrame({"k": [1]}))
    assert one.execute(f"SELECT {literal(text, 'polars')} AS said FROM events").collect().to_dicts() == [{"said": text}]
    (said,) = sqlglot.parse_one(f"SELECT {literal(text, 'spark')}", dialect="spark").selects
    assert isinstance(said, exp.Literal)
    if "\\" not in text:  # sqlglot keeps some of Spark's escapes as they were written
        assert said.this == text


@pytest.mark.parametrize("name", ["", "\0", "nul\0inside"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_name_that_cannot_be_quoted_is_refused(name: str, dialect: Dialect) -> None:
    with pytest.raises(SchemaConflict, match="rename the column"):
        identifier(name, dialect)


def test_a_column_of_ours_takes_a_name_that_is_free() -> None:
    assert free_name("_rank", ("event_id",)) == "_rank"
    assert free_name("_rank", ("_RANK", "__rank")) == "___rank"


@given(uri=TEXT, name=NAME)
@example(uri="/x\nSELECT 1; --", name='a"b')
@settings(max_examples=80, derandomize=True, deadline=None)
def test_no_path_ends_the_comment_and_no_column_the_statement(uri: str, name: str) -> None:
    for dialect in DIALECTS:
        text = merge_sql(MergeInputs(uri, 7, "p", ("event_id", name), {}), dialect)
        header, statement = text[: text.index("\nWITH ") + 1], text[text.index("\nWITH ") + 1 :]
        assert [line[:2] for line in header.splitlines()] == ["--", "--"]
        (parsed,) = sqlglot.parse(statement, dialect=_sqlglot(dialect))
        assert [column.alias_or_name for column in parsed.selects] == ["event_id", name]


def test_foreign_columns_are_read_back_whatever_their_names(tmp_path: Path) -> None:
    table, written = str(tmp_path / "lake's table"), tmp_path / "written"
    copies = f"""event_id" FROM ranked; COPY (SELECT 'x') TO '{written}'; SELECT 1 AS "x"""
    foreign = {name: str(number) for number, name in enumerate([*NAMES, copies, "_rank", "events", "visible"])}
    write_deltalake(table, pa.Table.from_pylist([{**ROW, **foreign}]), partition_by=["event_date", "_runtime"])
    (row,) = read(table).to_pylist()
    assert {name: row[name] for name in foreign} == foreign
    inputs = merge_inputs(table)
    events = pl.scan_delta(table, version=inputs.version, use_pyarrow=True)
    (row,) = pl.SQLContext(events=events).execute(merge_sql(inputs, "polars")).collect().to_dicts()
    assert {name: row[name] for name in foreign} == foreign
    assert not written.exists()


def test_the_statement_runs_where_no_file_can_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, secret = str(tmp_path / "table"), tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    write_deltalake(table, pa.Table.from_pylist([ROW]), partition_by=["event_date", "_runtime"])
    statements = [
        f"SELECT * FROM '{secret}'",
        "SET enable_external_access = true; SELECT 1",
        "INSTALL httpfs; SELECT 1",
    ]
    for statement in statements:
        monkeypatch.setattr("trivium.delivery.merge.query.merge_sql", lambda *_, statement=statement: statement)
        with pytest.raises(duckdb.Error):
            read(table)
