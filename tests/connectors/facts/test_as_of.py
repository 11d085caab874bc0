"""Facts as of a time: right rows against DuckDB's as-of join, and what no table of facts may hold."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shelf_lookup import day, halls, halls_at, opened
from trivium.core.errors import LookupAnswerError
from trivium.testing import ManualClock
from trivium.types.spec import UTC_MICROSECONDS

TIMES = {"as_of": True, "valid_from": "since", "valid_to": "until"}


def times(values: list[Any]) -> pa.Array:
    return pa.array(values, UTC_MICROSECONDS)


def write(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    codes, found, since, until = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"code": codes, "hall": found, "since": times(since), "until": times(until)})
    pq.write_table(table, path)
    return path


HISTORY = [
    ("A", "south", day(5), day(9)),
    ("B", "east", None, None),
    ("A", "north", day(1), day(5)),
    ("A", "west", day(12), None),
]


def test_a_row_is_valid_from_its_first_moment_to_before_its_last(tmp_path: Path) -> None:
    lookup = opened(write(tmp_path / "a.parquet", HISTORY), **TIMES)
    before = timedelta(microseconds=1)
    asked = [day(1) - before, day(1), day(5) - before, day(5), day(9), day(12), day(30), day(1), day(1)]
    expected = [None, "north", "north", "south", None, "west", "west", "east", None]
    assert halls_at(lookup, [*["A"] * 7, "B", "?"], asked) == expected


def test_without_ends_a_row_is_valid_to_the_next_of_its_key(tmp_path: Path) -> None:
    lookup = opened(write(tmp_path / "a.parquet", HISTORY), as_of=True, valid_from="since")
    assert halls_at(lookup, ["A", "A", "A", "B"], [day(8), day(11), day(12), day(1)]) == [
        "south", "south", "west", "east",
    ]  # fmt: skip


def test_days_are_taken_at_their_beginning_in_utc(tmp_path: Path) -> None:
    days = [date(2026, 3, 5), date(2026, 3, 1)]
    table = pa.table({"code": ["A", "A"], "hall": ["south", "north"], "since": days})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("code,hall,since\nA,south,2026-03-05\nA,north,2026-03-01\n")
    for kind in ("parquet", "csv"):
        lookup = opened(tmp_path / f"a.{kind}", type=kind, as_of=True, valid_from="since")
        late = datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC)
        assert halls_at(lookup, ["A", "A", "A"], [day(5), late, day(28, 2)]) == ["south", "north", None]


def test_without_a_time_the_row_that_is_valid_now_answers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", HISTORY)
    os.utime(path, (day(2).timestamp(),) * 2)
    clock = ManualClock(day(6).timestamp())
    assert halls(opened(path, clock=clock, **TIMES), ["A", "B", "?"]) == ["south", "east", None]
    pinned = opened(path, clock=clock, pinned=True, **TIMES)
    assert halls(pinned, ["A"]) == ["north"], "a pinned lookup answers as of the time of its newest file"


def test_a_key_of_several_columns_and_a_time(tmp_path: Path) -> None:
    rows = {"site": [1, 1, 2], "code": ["A", "B", "A"], "hall": ["a", "b", "c"], "since": times([None, day(2), day(3)])}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    kind = pa.struct([("x", pa.int64()), ("y", pa.string())])
    lookup = opened(tmp_path / "a.parquet", kind, key=["site", "code"], as_of=True, valid_from="since")
    keys = [{"x": 1, "y": "A"}, {"x": 2, "y": "A"}, {"x": 2, "y": "B"}, {"x": 1, "y": "B"}]
    assert halls_at(lookup, keys, [day(1), day(3), day(3), day(1)], kind) == ["a", "c", None, None]


def test_an_enrichment_as_of_a_time_needs_rows_with_times(tmp_path: Path) -> None:
    with pytest.raises(LookupAnswerError, match=r"lookup shelves: .* as of a time, .* Try: .* valid_from and valid_to"):
        opened(write(tmp_path / "a.parquet", HISTORY), as_of=True)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*HISTORY, ("A", "x", day(8), day(9))], r"1 rows that begin before .*, such as 'A' in .*row 0"),
        ([*HISTORY, ("B", "x", day(8), None)], r"1 rows that begin before .* 'B' in .*row 1 and .*row 4"),
        ([*HISTORY, ("A", "x", day(12), day(13))], r"1 rows that begin with another .*, such as 'A' in .*row 3"),
        ([*HISTORY, ("C", "x", day(12), day(11))], r"1 that end before they begin, such as 'C' in .*row 4"),
    ],
)  # fmt: skip
def test_rows_that_give_a_time_two_answers_are_named(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(LookupAnswerError, match=said):
        opened(write(tmp_path / "a.parquet", rows), **TIMES)


def test_two_rows_of_a_key_are_told_how_they_could_have_times(tmp_path: Path) -> None:
    with pytest.raises(LookupAnswerError, match=r"1 keys more than once, such as 'A' in .*row 0 and .*valid_from"):
        opened(write(tmp_path / "a.parquet", HISTORY[:3]))


HOURS = st.integers(0, 40)


@settings(max_examples=60, deadline=None)
@given(
    facts=st.dictionaries(st.tuples(st.sampled_from(["a", "b", "c", "dd"]), HOURS), HOURS, max_size=40),
    asked=st.lists(st.tuples(st.sampled_from(["a", "b", "c", "dd", "e"]), HOURS), min_size=1, max_size=40, unique=True),
)
def test_rows_are_those_of_duckdbs_as_of_join(facts: Any, asked: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, base = tmp_path_factory.mktemp("facts"), day(1)
    known = [(key, f"{key}{hour}", base + timedelta(hours=hour), None) for key, hour in facts]
    known.append(("z", "z", base, None))
    lookup = opened(write(folder / "a.parquet", known), as_of=True, valid_from="since")
    moments = [base + timedelta(hours=hour) for _, hour in asked]
    questions = pa.table({"n": range(len(asked)), "code": [key for key, _ in asked], "at": times(moments)})
    query = f"""select hall from questions asof left join '{folder}/a.parquet' f
        on questions.code = f.code and questions.at >= f.since order by n"""
    with duckdb.connect() as database:
        database.register("questions", questions)
        expected = [hall for (hall,) in database.execute(query).fetchall()]
    assert halls_at(lookup, [key for key, _ in asked], moments) == expected
