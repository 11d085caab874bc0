"""CSV as a lookup: text read as the enrichments declare it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pytest

from trivium import Deadline, Int8, Precision, Row
from trivium.config.model.file_lookups import CsvLookupSettings as Settings
from trivium.config.pipeline import BoundLookup
from trivium.connectors import check_lookup, open_lookup, snapshot_of
from trivium.contract.retry import RetryPolicy
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.testing import ManualClock
from trivium.types.rows import row_fields


class Fact(Row):
    name: str | None = None
    count: Int8 | None = None
    ratio: float | None = None
    paid: bool | None = None
    price: Annotated[Decimal, Precision(6, 2)] | None = None
    day: date | None = None
    at: datetime | None = None


HEAD = "id,name,count,ratio,paid,price,day,at\n"


def bound(path: Path, kind: type[Row] = Fact, **settings: Any) -> BoundLookup:
    config = Settings(**{"type": "csv", "path": str(path), "key": "id", **settings})
    return BoundLookup(
        name="facts",
        columns=row_fields(kind),
        key_type=pa.string(),
        retry=RetryPolicy(),
        unavailable=config.unavailable,
        config=config,
    )


def rows(path: Path, keys: list[str], **settings: Any) -> list[dict[str, Any] | None]:
    clock = ManualClock()
    answer = open_lookup(bound(path, **settings), clock).fetch(pa.array(keys), Deadline.after(clock, 1))
    found = answer.rows.to_pylist()
    return [None if place is None else found[place] for place in answer.index.to_pylist()]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_every_type_is_read(tmp_path: Path) -> None:
    line = 'a,"Ann, ""A""",-3,1e3,true,12.50,2024-02-29,2024-05-01T03:04:05+02:00\nb,,,,,,,\n'
    file = write(tmp_path / "facts.csv", HEAD + line)
    assert rows(file, ["b", "x", "a"]) == [
        {"id": "b", **dict.fromkeys(Fact.__struct_fields__)},
        None,
        {
            "id": "a", "name": 'Ann, "A"', "count": -3, "ratio": 1000.0, "paid": True, "price": Decimal("12.50"),
            "day": date(2024, 2, 29), "at": datetime(2024, 5, 1, 1, 4, 5, tzinfo=UTC),
        },
    ]  # fmt: skip


def test_a_quoted_null_text_is_text(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.csv", 'id;name\na;NA\nb;"NA"\n"";x\n'.replace('"";x\n', ""))
    assert rows(file, ["a", "b"], delimiter=";", null_text="NA") == [
        {"id": key, "name": name, **dict.fromkeys(Fact.__struct_fields__[1:])}
        for key, name in (("a", None), ("b", "NA"))
    ]


def test_a_folder_is_read_whole_and_its_snapshot_follows_it(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", "id,name\na,one\n")
    first = snapshot_of(open_lookup(bound(tmp_path), ManualClock()))
    write(tmp_path / "two.csv", "name,id\ntwo,b\n")
    write(tmp_path / "notes.txt", "no CSV")
    assert [row and row["name"] for row in rows(tmp_path, ["a", "b"])] == ["one", "two"]
    assert snapshot_of(open_lookup(bound(tmp_path), ManualClock())) != first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,count\na,1\nb,300\n", r"facts\.csv, row 1, column count: expected an int from -128 to 127.*got '300'"),
        ("id,count\na,1.0\n", r"row 0, column count: expected an int, got '1\.0'"),
        ("id,ratio\na,nan\n", "row 0, column ratio: expected a number, got 'nan'"),
        ("id,paid\na,yes\n", "row 0, column paid: expected true or false, got 'yes'"),
        ("id,price\na,1.005\n", "row 0, column price: expected a decimal number with at most 2 digits"),
        ("id,day\na,2024-02-30\n", "row 0, column day: expected a date"),
        ("id,at\na,2024-05-01T03:04:05\n", "row 0, column at: .*time zone"),
        ("id,name\na,x\na,y\n", "expected one row a key, got 1 keys more than once, such as 'a'"),
        ("id,name\n,x\n", "1 rows have no key"),
    ],
)
def test_a_value_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LookupAnswerError, match=said):
        open_lookup(bound(write(tmp_path / "facts.csv", text)), ManualClock())


class Needs(Row):
    name: str


class Lists(Row):
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (Fact, b"name\nx\n", "column id: it is the key and missing"),
        (Needs, b"id\nx\n", "column name: it is required and missing"),
        (Fact, b"id,name,name\na,b,c\n", "column name: the file has 2 columns of this name"),
        (Lists, b"id,names\na,b\n", "column names: .* is not read from text"),
        (Fact, b"id,name\na\n", "is no CSV that can be read: .*Expected 2 columns, got 1"),
        (Fact, b"id,name\na,\xff\n", "is no CSV that can be read: .*UTF8|UTF-8"),
        (Fact, b"", "is no CSV that can be read: Empty CSV file"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_before_the_run(
    tmp_path: Path, kind: type[Row], data: bytes, said: str
) -> None:
    (tmp_path / "facts.csv").write_bytes(data)
    with pytest.raises(SourceError, match=said):
        check_lookup(bound(tmp_path / "facts.csv", kind), ManualClock())


def test_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a CSV file, or a folder of files that end in \.csv, found none"):
        check_lookup(bound(tmp_path / "facts.csv"), ManualClock())


def test_bounds_hold(tmp_path: Path) -> None:
    write(tmp_path / "facts.csv", "id,name\na,x\nb,y\n")
    with pytest.raises(SourceError, match="expected at most 1 rows"):
        open_lookup(bound(tmp_path / "facts.csv", max_rows=1), ManualClock())
