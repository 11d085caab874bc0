"""The same few events as many writers write them: one folder each, and what the events are."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from trivium import Event, Executor, NormalizedEvent, Precision, Row

WHEN: Final = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


class Part(Row):
    name: str | None
    count: int


class Thing(Event, tag="thing"):
    thing_id: str
    at: datetime
    code: str | None = None
    size: int | None = None
    weight: float | None = None
    price: Annotated[Decimal, Precision(12, 2)] | None = None
    on: date | None = None
    good: bool | None = None
    raw: bytes | None = None
    names: tuple[str | None, ...] | None = None
    parts: tuple[Part, ...] | None = None


class ThingRow(NormalizedEvent):
    seen: str


class ThingExecutor(Executor[Thing, ThingRow]):
    """What the executor saw of an event."""

    def process(self, event: Thing) -> ThingRow:
        return ThingRow(event_id=event.thing_id, event_time=WHEN[2], seen=seen(event))


def seen(event: Thing) -> str:
    """Everything an event holds, as text."""
    values: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
    if event.parts is not None:
        values["parts"] = [(part.name, part.count) for part in event.parts]
    return repr(values)


ROWS: Final[list[dict[str, Any]]] = [
    {
        "thing_id": f"t{n}",
        "at": WHEN[n % 4],
        "code": [None, "CH", "", "Zürich"][n % 4],
        "size": [0, None, -(2**63), 2**63 - 1][n % 4],
        "weight": [0.5, -1e300, None, 3.0][n % 4],
        "price": [Decimal("1.25"), None, Decimal("-9999999999.99"), Decimal("0.00")][n % 4],
        "on": [date(1, 1, 1), date(2024, 2, 29), None, date(9999, 12, 31)][n % 4],
        "good": [True, False, None][n % 3],
        "raw": [b"", b"\x00\xff", None][n % 3],
        "names": [[], ["a", None, "b"], None][n % 3],
        "parts": [[{"name": "x", "count": 1}, {"name": None, "count": 2}], [], None][n % 3],
    }
    for n in range(24)
]
EXPECTED: Final = {
    row["thing_id"]: seen(
        Thing(
            **{
                **row,
                "names": None if row["names"] is None else tuple(row["names"]),
                "parts": None if row["parts"] is None else tuple(Part(**part) for part in row["parts"]),
            }
        )
    )
    for row in ROWS
}
_PART: Final = pa.struct([("name", pa.string()), ("count", pa.int64())])
SCHEMA: Final = pa.schema(
    [
        pa.field("event_type", pa.string()),
        ("thing_id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("code", pa.string()),
        ("size", pa.int64()),
        ("weight", pa.float64()),
        ("price", pa.decimal128(12, 2)),
        ("on", pa.date32()),
        ("good", pa.bool_()),
        ("raw", pa.binary()),
        ("names", pa.list_(pa.string())),
        ("parts", pa.list_(_PART)),
    ]
)
TABLE: Final = pa.Table.from_pylist([{"event_type": "thing", **row} for row in ROWS], SCHEMA)


def _arrow(path: Path, **options: Any) -> None:
    pq.write_table(TABLE, path, row_group_size=options.pop("row_group_size", 10), **options)


def _cast(path: Path, **types: pa.DataType) -> None:
    """Write the table with some columns in other types."""
    fields = [field.with_type(types.get(field.name, field.type)) for field in SCHEMA]
    columns = [pa.array(TABLE.column(field.name).to_pylist(), field.type) for field in fields]
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), path)


def _categories(path: Path) -> None:
    """Write categoricals, whose indices are 8 bits wide, in several files with other values each."""
    category = pa.dictionary(pa.int8(), pa.string())
    for number in range(0, len(ROWS), 6):
        table = TABLE.slice(number, 6)
        for name in ("event_type", "thing_id", "code"):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, table.column(name).cast(category))
        pq.write_table(table, path.with_name(f"{number:02}.parquet"))


def _empty_pandas_beside(path: Path) -> None:
    """Write files of empty frames, whose columns have no type or the wrong one, before and after a full one."""
    names = list(SCHEMA.names)
    pd.DataFrame({name: [] for name in names}).to_parquet(path.with_name("0.parquet"))
    pd.DataFrame({name: pd.Series([], dtype=object) for name in names[:4]}).to_parquet(path.with_name("2.parquet"))
    pd.DataFrame().to_parquet(path.with_name("3.parquet"))
    _arrow(path.with_name("1.parquet"))


def _null_columns(path: Path) -> None:
    """Write each row into a file of its own, where columns without a value have no type."""
    for number in range(len(ROWS)):
        row = TABLE.slice(number, 1)
        for at, name in enumerate(SCHEMA.names):
            row = row.set_column(at, name, pa.nulls(1)) if row.column(name).null_count else row
        pq.write_table(row, path.with_name(f"{number:02}.parquet"))


def _extensions(path: Path) -> None:
    booleans = pa.ExtensionArray.from_storage(pa.bool8(), TABLE.column("good").combine_chunks().cast(pa.int8()))
    codes = pa.ExtensionArray.from_storage(pa.json_(), TABLE.column("code").combine_chunks())
    table = TABLE.set_column(8, "good", booleans).set_column(3, "code", codes)
    pq.write_table(table, path)


def _duckdb(path: Path) -> None:
    table = TABLE  # noqa: F841 - DuckDB finds it by its name
    duckdb.sql(f"COPY (FROM \"table\") TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 10)")


def _row_groups(path: Path) -> None:
    """Write row groups of no rows among others, and a file without any."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for start in range(0, len(ROWS), 5):
            writer.write_table(TABLE.slice(0, 0))
            writer.write_table(TABLE.slice(start, 5))
    with pq.ParquetWriter(path.with_name("none.parquet"), SCHEMA):
        pass


_TEXT: Final = {"code": pa.large_string(), "event_type": pa.large_string()}
WRITERS: Final[Mapping[str, Callable[[Path], None]]] = {
    "arrow": _arrow,
    "plain": lambda path: _arrow(path, use_dictionary=False),
    "pages-v2": lambda path: _arrow(path, data_page_version="2.0", compression="zstd"),
    "prefixed": lambda path: _arrow(
        path, use_dictionary=False, column_encoding={"code": "DELTA_BYTE_ARRAY", "thing_id": "DELTA_BYTE_ARRAY"}
    ),
    "lengths": lambda path: _arrow(path, use_dictionary=False, column_encoding={"code": "DELTA_LENGTH_BYTE_ARRAY"}),
    "checksums": lambda path: _arrow(path, write_page_checksum=True),
    "no-arrow-schema": lambda path: _arrow(path, store_schema=False),
    "no-statistics": lambda path: _arrow(path, write_statistics=False),
    "int96": lambda path: _arrow(path, use_deprecated_int96_timestamps=True, store_schema=False),
    "large": lambda path: _cast(path, **_TEXT, raw=pa.large_binary(), names=pa.large_list(pa.large_string())),
    "views": lambda path: _cast(path, code=pa.string_view(), event_type=pa.string_view(), raw=pa.binary_view()),
    "list-views": lambda path: _cast(path, names=pa.list_view(pa.string())),
    "large-list-views": lambda path: _cast(path, names=pa.large_list_view(pa.string()), parts=pa.list_view(_PART)),
    "nested-large": lambda path: _cast(path, parts=pa.large_list(_PART)),
    "wide-decimals": lambda path: _cast(path, price=pa.decimal256(40, 2)),
    "tiny-pages": lambda path: _arrow(path, data_page_size=1, write_batch_size=1),
    "polars": lambda path: pl.DataFrame(TABLE).write_parquet(path, row_group_size=10),
    "duckdb": _duckdb,
    "categories": _categories,
    "empty-pandas-beside": _empty_pandas_beside,
    "null-columns": _null_columns,
    "extensions": _extensions,
    "row-groups": _row_groups,
}


def uuid_of(number: int) -> uuid.UUID:
    """A UUID for a row."""
    return uuid.uuid5(uuid.NAMESPACE_OID, str(number))
