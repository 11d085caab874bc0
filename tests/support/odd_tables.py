"""Tables that are legal but odd, and paths that hold no table at all: what a command may be pointed at."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, write_deltalake

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
OURS: dict[str, Any] = {
    "event_id": "1",
    "event_time": WHEN,
    "event_date": date(2026, 1, 1),
    "_event_type": "order",
    "_logic": "l",
    "_plan": "p",
    "_executor": "e",
    "_source": "s",
    "_position": 0,
    "_row": 0,
    "_ingested_at": WHEN,
    "_enrichments": "",
    "_runtime": "batch",
}
LONGEST = "12345678901234567890.123456789012345678"
WIDE = pa.decimal128(38, 18)


def as_text(values: list[bytes]) -> pa.Array:
    """Text of these bytes, whether they are UTF-8 or not."""
    offsets = pa.array([0, *(sum(map(len, values[: at + 1])) for at in range(len(values)))], pa.int32())
    return pa.Array.from_buffers(pa.string(), len(values), [None, offsets.buffers()[1], pa.py_buffer(b"".join(values))])


COLUMNS: Mapping[str, pa.Array] = {
    "decimal": pa.array([Decimal(LONGEST)], WIDE),
    "small_decimal": pa.array([Decimal("0E-18")], WIDE),
    "decimals": pa.array([[Decimal(LONGEST), None]], pa.list_(WIDE)),
    "priced": pa.array(
        [{"price": Decimal(LONGEST), "at": WHEN}], pa.struct([("price", WIDE), ("at", pa.timestamp("us", "UTC"))])
    ),
    "prices": pa.array([[("a", Decimal(LONGEST))]], pa.map_(pa.string(), WIDE)),
    "days_by_name": pa.array([[("a", [date(1, 1, 1)])]], pa.map_(pa.string(), pa.list_(pa.date32()))),
    "bytes": pa.array([b"\x00\xff=1"], pa.binary()),
    "byte_lists": pa.array([[b"\xff"]], pa.list_(pa.binary())),
    "not_a_number": pa.array([float("nan")]),
    "infinite": pa.array([[float("-inf")]], pa.list_(pa.float32())),
    "first_day": pa.array([date(1, 1, 1)]),
    "day_before_years": pa.array([-800_000], pa.date32()),
    "last_day": pa.array([date(9999, 12, 31)]),
    "day_after_9999": pa.array([3_000_000], pa.date32()),
    "old_time": pa.array([datetime(12, 3, 4, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    "time_after_9999": pa.array([1_764_225_000_000_000_000], pa.timestamp("us", "UTC")),
    "time_before_years": pa.array([-(2**62)], pa.timestamp("us", "UTC")),
    "times_after_9999": pa.array([[1_764_225_000_000_000_000]], pa.list_(pa.timestamp("us", "UTC"))),
    "local_time": pa.array([1_767_225_600_000_000], pa.timestamp("us")),
    "local_times": pa.array([{"at": 1_767_225_600_000_000}], pa.struct([("at", pa.timestamp("us"))])),
    "formula": pa.array(["=1+1"]),
    "control": pa.array(["\x1b[2J\u202e\n\t\x00"]),
    "long_text": pa.array(["x" * 300_000]),
    "empty": pa.array([""]),
    "nothing": pa.array([None], pa.string()),
    "no_list": pa.array([None], pa.list_(pa.int64())),
    "empty_list": pa.array([[]], pa.list_(pa.int64())),
    "deep": pa.array([[[[{"a": [1]}]]]]),
    "small_integer": pa.array([-128], pa.int8()),
    "large_integer": pa.array([2**63 - 1]),
    "optional_struct": pa.array([None], pa.struct([pa.field("must", pa.int64(), nullable=False)])),
    'quo"te': pa.array([1]),
    "with space.and.dot": pa.array([1]),
    "_rank": pa.array([1]),
    "events": pa.array([1]),
    "visible": pa.array([1]),
    "ÄÖ→": pa.array([1]),
}


BEYOND_DELTALAKE = ("day_before_years", "day_after_9999")
"""Columns whose bounds in the log deltalake's own reader cannot parse."""


def pipeline_table(path: Path, column: pa.Array | None = None, name: str = "odd") -> None:
    """A table of one row as a pipeline leaves it, with one more column."""
    rows = pa.Table.from_pylist([OURS])
    if column is not None:
        rows = rows.append_column(pa.field(name, column.type), column)
    _of_shop(path, rows, ["event_date", "_runtime"])


def _of_shop(path: Path, rows: pa.Table, partition_by: list[str]) -> None:
    DeltaTable.create(
        str(path),
        schema=Schema.from_arrow(rows.schema),
        partition_by=partition_by,
        configuration={"trivium.pipeline": "shop"},
        raise_if_key_not_exists=False,
    )
    write_deltalake(str(path), rows, mode="append")


def _entry(path: Path, version: int = 0) -> Path:
    return path / "_delta_log" / f"{version:020}.json"


def _foreign(path: Path) -> None:
    write_deltalake(str(path), pa.table({"a": [1, 2]}))


def _foreign_of_shop(path: Path) -> None:
    _of_shop(path, pa.table({"a": [1, 2]}), [])


def _plain_parquet(path: Path) -> None:
    path.mkdir()
    pq.write_table(pa.table({"a": [1]}), path / "rows.parquet")


def _file(path: Path) -> None:
    path.write_text("no table")


def _below_a_file(path: Path) -> None:
    _file(path.parent)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _log_is_a_file(path: Path) -> None:
    path.mkdir()
    (path / "_delta_log").write_text("")


def _log_of(content: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        (path / "_delta_log").mkdir(parents=True)
        _entry(path).write_text(content)

    return make


def _empty_log(path: Path) -> None:
    (path / "_delta_log").mkdir(parents=True)


def _gap(path: Path) -> None:
    pipeline_table(path)
    for _ in range(2):
        write_deltalake(str(path), pa.Table.from_pylist([OURS]), mode="append")
    _entry(path, 1).unlink()


def _without_beginning(path: Path) -> None:
    pipeline_table(path)
    write_deltalake(str(path), pa.Table.from_pylist([OURS]), mode="append")
    _entry(path).unlink()


def _newer_protocol(path: Path) -> None:
    pipeline_table(path)
    _entry(path).write_text(_entry(path).read_text().replace('"minReaderVersion":1', '"minReaderVersion":99'))


def _without_its_files(path: Path) -> None:
    pipeline_table(path)
    for file in path.rglob("*.parquet"):
        file.unlink()


def _with_torn_files(path: Path) -> None:
    pipeline_table(path)
    for file in path.rglob("*.parquet"):
        file.write_bytes(os.urandom(file.stat().st_size))


BROKEN: Mapping[str, Callable[[Path], None]] = {
    "missing": lambda _: None,
    "empty folder": lambda path: path.mkdir(),
    "file": _file,
    "below a file": _below_a_file,
    "link to nothing": _link_to_nothing,
    "link to itself": _link_to_itself,
    "log is a file": _log_is_a_file,
    "log is empty": _empty_log,
    "log is no JSON": _log_of("{nonsense"),
    "log entry is empty": _log_of(""),
    "log without metadata": _log_of('{"commitInfo":{}}\n'),
    "log with a gap": _gap,
    "log without its beginning": _without_beginning,
    "protocol of the future": _newer_protocol,
    "plain Parquet": _plain_parquet,
}
"""Places where no table can be opened."""

FOREIGN: Mapping[str, Callable[[Path], None]] = {"foreign": _foreign, "foreign of shop": _foreign_of_shop}
"""Tables that no pipeline wrote."""

DAMAGED: Mapping[str, Callable[[Path], None]] = {"files gone": _without_its_files, "files torn": _with_torn_files}
"""Tables whose log is whole and whose files are not."""
