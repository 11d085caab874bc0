"""Columns in folders' names: read as declared, as Hive writes them, and refused by name where they cannot be."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.kafka_batches import MOMENT, ids, reader, records, write
from tests.support.pipelines import pipeline_of
from trivium import Event, Executor, Int8, NormalizedEvent, Precision
from trivium.config.model.pipeline import Batch
from trivium.config.model.sources import ParquetSource
from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source
from trivium.connectors.archive.hive_folders import folder_texts
from trivium.connectors.archive.reader import SourceReader
from trivium.core.errors import SourceError
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker


class Sale(Event, tag="sale"):
    sale_id: str
    country: str | None = None
    year: int | None = None
    month: Int8 = 0
    day: date | None = None
    price: Annotated[Decimal, Precision(6, 2)] | None = None
    share: float | None = None
    paid: bool | None = None
    at: datetime | None = None
    kind: Literal["a", "b"] | None = None
    amount: Annotated[int, msgspec.Meta(ge=1)] | None = None
    raw: bytes | None = None


class SaleRow(NormalizedEvent):
    seen: str


class SaleExecutor(Executor[Sale, SaleRow]):
    """What the executor saw, but for what is null."""

    def process(self, event: Sale) -> SaleRow:
        values = {name: getattr(event, name) for name in event.__struct_fields__ if name != "sale_id"}
        there = {name: value for name, value in values.items() if value is not None and (name, value) != ("month", 0)}
        return SaleRow(event_id=event.sale_id, event_time=MOMENT, seen=repr(there))


DECLARATIONS = {"sale": SaleExecutor.declaration}


def pipeline_over(path: Path, **settings: Any) -> Pipeline:
    """The sales' pipeline over an archive."""
    made = pipeline_of([SaleExecutor])
    source = ParquetSource(type="parquet", path=str(path), **settings)
    config = made.config.model_copy(update={"batch": Batch(source=source)})
    return replace(made, config=config)


def seen(path: Path, **settings: Any) -> dict[str, Any]:
    """By event, what its executor saw, or why it was rejected."""
    made = pipeline_over(path, **settings)
    assert made.config.batch is not None
    source = open_source(made.config.batch.source, DECLARATIONS, made.config.type_column)
    found: dict[str, Any] = {}
    for unit in source.plan().units(1000, None):
        for part in source.batches(unit):
            out = BlockingWorker(made.worker_spec, {}).run(part.batch)
            for emitted in out.emitted.values():
                found |= dict(zip(*(emitted.rows[name].to_pylist() for name in ("event_id", "seen")), strict=True))
            found |= {f"reject {each.index}": each.error for each in out.rejects}
    return found


def sale(path: Path, name: str = "s", **more: Any) -> Path:
    return write(path, pa.table({"event_type": ["sale"], "sale_id": [name], **more}))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("country=CH", {"country": "CH"}),
        ("country=", {"country": ""}),
        ("country=C%C3%B4te d'Ivoire", {"country": "Côte d'Ivoire"}),
        ("country=a%2Fb%3Dc%25", {"country": "a/b=c%"}),
        ("country=a=b", {"country": "a=b"}),
        ("country=Zürich", {"country": "Zürich"}),
        ("country=__HIVE_DEFAULT_PARTITION__", {}),
        ("c%6Funtry=CH", {"country": "CH"}),
        ("year=2024/month=05/country=CH", {"country": "CH", "year": 2024, "month": 5}),
        ("year=-7", {"year": -7}),
        ("month=__HIVE_DEFAULT_PARTITION__", {}),
        ("day=2024-02-29", {"day": date(2024, 2, 29)}),
        ("price=12.5", {"price": Decimal("12.50")}),
        ("price=7", {"price": Decimal("7.00")}),
        ("share=0.25", {"share": 0.25}),
        ("share=1e3", {"share": 1000.0}),
        ("share=3", {"share": 3.0}),
        ("paid=true", {"paid": True}),
        ("paid=False", {"paid": False}),
        ("at=2024-05-01 03%3A04%3A05", {"at": datetime(2024, 5, 1, 3, 4, 5, tzinfo=UTC)}),
        ("at=2024-05-01T03%3A04%3A05.25%2B02%3A00", {"at": datetime(2024, 5, 1, 1, 4, 5, 250_000, tzinfo=UTC)}),
        ("kind=b", {"kind": "b"}),
        ("amount=1", {"amount": 1}),
        ("unknown=x", {}),
    ],
)
def test_a_folder_gives_what_the_file_does_not(tmp_path: Path, folder: str, expected: dict[str, Any]) -> None:
    sale(tmp_path / folder / "part-0.parquet")
    assert seen(tmp_path, timezone="UTC") == {"s": repr(expected)}


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("year=MMXX", r"folder year=MMXX \(sale\.year\): expected an int, got 'MMXX'"),
        ("year=1.0", r"folder year=1\.0 \(sale\.year\): expected an int"),
        ("year=", r"folder year= \(sale\.year\): expected an int, got ''"),
        ("year=\u0669", r"folder year=\u0669 \(sale\.year\): expected an int"),
        ("year=9223372036854775808", r"folder year=9223372036854775808 \(sale\.year\): expected an int"),
        ("month=300", r"folder month=300 \(sale\.month\): expected an int from -128 to 127"),
        ("day=2024-02-30", r"folder day=2024-02-30 \(sale\.day\): expected a date"),
        ("day=20240230", r"folder day=20240230 \(sale\.day\): expected a date"),
        ("price=1.005", r"folder price=1\.005 \(sale\.price\): expected a decimal number with at most 2 digits"),
        ("price=12345.5", r"folder price=12345\.5 \(sale\.price\): does not fit Precision\(6, 2\)"),
        ("share=nan", r"folder share=nan \(sale\.share\): expected a number"),
        ("share=1e999", r"folder share=1e999 \(sale\.share\): expected a finite number"),
        ("paid=1", r"folder paid=1 \(sale\.paid\): expected true or false"),
        ("at=2024-05-01", r"folder at=2024-05-01 \(sale\.at\): expected a time"),
        ("at=2024-05-01 00%3A00%3A00", r"column at \(sale\.at\): timestamps without a time zone"),
        ("kind=c", r"folder kind=c \(sale\.kind\): expected one of"),
        ("amount=0", r"folder amount=0 \(sale\.amount\): expected an int from 1"),
        ("raw=x", r"folder raw=x: sale\.raw is of a type that no folder's name can hold"),
        ("country=%FF", r"expected folders named in UTF-8, got '%FF'"),
        ("country=CH/country=DE", r"expected one folder for the column country, got 'CH' and 'DE'"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_problem_before_the_run(tmp_path: Path, folder: str, problem: str) -> None:
    sale(tmp_path / "a.parquet")
    sale(tmp_path / folder / "b.parquet")
    with pytest.raises(SourceError, match=problem) as caught:
        seen(tmp_path)
    assert "b.parquet" in str(caught.value)


def test_files_of_many_folders_share_batches(tmp_path: Path) -> None:
    for number in range(30):
        sale(tmp_path / f"country=c{number}" / "a.parquet", f"s{number:02}")
    made = open_source(ParquetSource(type="parquet", path=str(tmp_path)), DECLARATIONS, "event_type")
    (unit,) = made.plan().units(1000, None)
    assert len(list(made.batches(unit))) == 1
    assert seen(tmp_path) == {f"s{number:02}": repr({"country": f"c{number}"}) for number in range(30)}


def test_a_file_without_the_folder_and_one_with_the_column(tmp_path: Path) -> None:
    sale(tmp_path / "a.parquet", "none")
    sale(tmp_path / "country=CH/b.parquet", "folder")
    sale(tmp_path / "c.parquet", "file", country=["DE"])
    sale(tmp_path / "country=FR/d.parquet", "both", country=["IT"])
    expected = {"folder": {"country": "CH"}, "file": {"country": "DE"}, "both": {"country": "IT"}, "none": {}}
    assert seen(tmp_path) == {name: repr(values) for name, values in expected.items()}
    plan = open_source(ParquetSource(type="parquet", path=str(tmp_path)), DECLARATIONS, "event_type").plan()
    assert (
        "the column country is in files and in their folders' names: country=FR/d.parquet; the files' values are read"
    ) in plan.notes


def test_the_folders_of_the_sources_own_location_count(tmp_path: Path) -> None:
    file = sale(tmp_path / "year=2024/country=CH/a.parquet")
    for path in (tmp_path, tmp_path / "year=2024", tmp_path / "year=2024/country=CH", file):
        assert seen(path) == {"s": repr({"country": "CH", "year": 2024})}
    assert folder_texts("s3://bucket/year=2024", "country=CH/a.parquet") == {"year": "2024", "country": "CH"}


def test_what_arrow_polars_and_duckdb_write_in_folders_comes_back(tmp_path: Path) -> None:
    table = pa.table(
        {
            "event_type": ["sale"] * 4,
            "sale_id": ["0", "1", "2", "3"],
            "country": ["CH", "a/b =%ü", None, "c"],
            "year": [2024, 2024, None, -1],
        }
    )
    pq.write_to_dataset(table, tmp_path / "arrow", partition_cols=["country", "year"])
    pl.DataFrame(table).write_parquet(f"{tmp_path}/polars", partition_by=["country", "year"], mkdir=True)
    duckdb.sql(f"COPY (FROM \"table\") TO '{tmp_path}/duckdb' (FORMAT parquet, PARTITION_BY (country, year))")
    values: list[dict[str, Any]] = [
        {"country": "CH", "year": 2024},
        {"country": "a/b =%ü", "year": 2024},
        {},
        {"country": "c", "year": -1},
    ]
    expected = {str(number): repr(each) for number, each in enumerate(values)}
    assert {name: seen(tmp_path / name) for name in ("arrow", "polars", "duckdb")} == dict.fromkeys(
        ("arrow", "polars", "duckdb"), expected
    )


def test_the_type_in_a_folders_name(tmp_path: Path) -> None:
    write(tmp_path / "type=sale/a.parquet", pa.table({"sale_id": ["s"]}))
    write(tmp_path / "type=other/b.parquet", pa.table({"x": [1, 2]}))
    write(tmp_path / "type=__HIVE_DEFAULT_PARTITION__/c.parquet", pa.table({"x": [1]}))
    made = pipeline_over(tmp_path, type_column="type")
    assert made.config.batch is not None
    source = open_source(made.config.batch.source, DECLARATIONS, made.config.type_column)
    (unit,) = source.plan().units(100, None)
    worker, found = BlockingWorker(made.worker_spec, {}), {}
    for part in source.batches(unit):
        for name, counts in worker.run(part.batch).counts().items():
            found[name] = found.get(name, 0) + counts.read
    assert found == {"sale": 1, "_unrouted": 2, "_undecoded": 1}


@pytest.mark.parametrize("typed", [True, False])
def test_one_type_named_by_the_source(tmp_path: Path, *, typed: bool) -> None:
    table = pa.table({"sale_id": ["1", "2"], "country": ["CH", None]})
    if not typed:
        rows = [*({"event_type": "other", **row} for row in table.to_pylist())]
        table = pa.table({"value": [msgspec.json.encode(row) for row in rows]})
    write(tmp_path / "a.parquet", table)
    settings = {} if typed else {"value_column": "value"}
    assert seen(tmp_path, event_type="sale", **settings) == {"1": repr({"country": "CH"}), "2": "{}"}


def test_raw_records_whose_type_and_day_lie_in_folders(tmp_path: Path) -> None:
    write(tmp_path / "kind=parcel/day=2024-05-01-03/part-0", records(2))
    write(tmp_path / "kind=letter/day=2024-05-01-04/part-0", records(1, start=2))
    source = reader(tmp_path, value_column="value", day_column="day", type_column="kind")
    (part,) = source.batches(source.plan().units(100, None)[0])
    assert isinstance(part.batch, RawBatch)
    assert part.batch.types == ["letter", "parcel", "parcel"]
    assert ids(part) == ["p2", "p0", "p1"]
    assert part.days.tolist() == ["2024-05-01"] * 3


def test_a_missing_optional_field_is_said_with_what_is_like_it(tmp_path: Path) -> None:
    sale(tmp_path / "year=1/a.parquet", contry=["CH"], amount=[1])
    sale(tmp_path / "year=2/b.parquet", contry=["CH"])
    notes = reader_of(tmp_path).plan().notes
    assert "no file has the column country (sale.country): it is null in every event; did you mean contry?" in notes
    assert "no file has the column month (sale.month): it is its default, 0, in every event" in notes
    assert "1 of 2 files lack the column amount (sale.amount), where it is null: year=2/b.parquet" in notes
    assert not any("year" in note for note in notes if "year=" not in note)


def test_a_missing_required_field_stays_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"event_type": ["sale"]}))
    with pytest.raises(SourceError, match=r"column sale_id \(sale\.sale_id\): it is required and missing"):
        reader_of(tmp_path).plan()


def reader_of(path: Path) -> SourceReader:
    """A reader of sales."""
    return open_source(ParquetSource(type="parquet", path=str(path)), DECLARATIONS, "event_type")
