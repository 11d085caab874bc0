"""The rows of a table that count: all or some, in memory or into a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from trivium.delivery import merge
from trivium.delivery.sql_text import Dialect
from trivium.operations.errors import ArgumentError
from trivium.operations.sample_values import plain
from trivium.operations.tables import snapshot_at

_JSON_ROWS: Final = 10_000


@dataclass(frozen=True)
class Rows:
    """Rows of one version of a table, merged by the policy of `trivium.delivery.merge`."""

    uri: str
    version: int
    table: pa.Table

    def first(self, limit: int) -> list[dict[str, Any]]:
        """The first rows as plain data."""
        return plain_rows(self.table.slice(0, limit))


def read_rows(uri: str, at: int | datetime | None = None) -> Rows:
    """The rows that count at a version, at a time, or now.

    Raises:
        ArgumentError: there is no such table or version.
    """
    version = snapshot_at(uri, at).version
    return Rows(uri, version, merge.read(uri, version))


def sql(uri: str, dialect: Dialect, at: int | datetime | None = None) -> str:
    """The statement that reads those rows in DuckDB, Polars or Spark, for the version pinned now."""
    return merge.merge_sql(merge.merge_inputs(uri, snapshot_at(uri, at).version), dialect)


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as plain JSON data: times RFC 3339 in UTC, bytes base64, decimals text."""
    types = {column.name: column.type for column in table.schema}
    return [{name: plain(value, types[name]) for name, value in row.items()} for row in table.to_pylist()]


def write_rows(rows: pa.Table, output: Path) -> None:
    """Write a file whose ending says how: .parquet, .csv or .json (one object a line). It appears whole or not at all.

    Raises:
        ArgumentError: another ending, or columns that the format cannot hold.
    """
    write = _WRITERS.get(output.suffix)
    if write is None:
        endings = ", ".join(_WRITERS)
        raise ArgumentError(f"expected an output file that ends in {endings}, got {output}. Try: rows.parquet")
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        write(rows, temporary)
        temporary.replace(output)
    except pa.ArrowException as error:
        raise ArgumentError(f"cannot write {output}: {error}. Try: another format, such as rows.parquet") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_parquet(rows: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows, path)


def _write_csv(rows: pa.Table, path: Path) -> None:
    from pyarrow import csv

    csv.write_csv(rows, path)


def _write_json(rows: pa.Table, path: Path) -> None:
    import msgspec

    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for start in range(0, rows.num_rows, _JSON_ROWS):
            file.write(encoder.encode_lines(plain_rows(rows.slice(start, _JSON_ROWS))))


_WRITERS: Final[Mapping[str, Callable[[pa.Table, Path], None]]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".json": _write_json,
}
