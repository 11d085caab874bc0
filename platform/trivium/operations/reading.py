"""The rows of a table that count: all or some, in memory or into a file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from trivium.core.errors import DeliveryError
from trivium.delivery.merge import query as merge
from trivium.delivery.merge.sql_text import Dialect
from trivium.delivery.merge.standalone import standalone_sql
from trivium.operations.errors import ArgumentError
from trivium.operations.flat_columns import flattened
from trivium.operations.tables import check_columns, snapshot_at
from trivium.types.plain import plain_rows

_JSON_ROWS: Final = 10_000


@dataclass(frozen=True)
class Rows:
    """Rows of one version of a table, merged by the policy of `trivium.delivery.merge.query`."""

    uri: str
    version: int
    table: pa.Table

    def first(self, limit: int) -> list[dict[str, Any]]:
        """Return the first rows as plain data."""
        return plain_rows(self.table.slice(0, limit))


def read_rows(uri: str, at: int | datetime | None = None) -> Rows:
    """Return the rows that count at a version, at a time, or now.

    Raises:
        ArgumentError: there is no such table or version, or it has not the columns of a pipeline's table.
        DeliveryError: a file of the table is gone or cannot be read.
    """
    snapshot = snapshot_at(uri, at)
    check_columns(uri, snapshot)
    try:
        return Rows(uri, snapshot.version, merge.read(uri, snapshot.version))
    except (duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0].strip().rstrip(".")
        message = f"table {uri}, version {snapshot.version}: its rows cannot be read: {reason}"
        raise DeliveryError(f"{message}. Try: an older --version, or restore the file that is named") from error


def sql(uri: str, dialect: Dialect, at: int | datetime | None = None) -> str:
    """Return the statement that reads those rows in DuckDB, Polars or Spark, for the version pinned now.

    Raises:
        ArgumentError: as `read_rows`.
    """
    snapshot = snapshot_at(uri, at)
    check_columns(uri, snapshot)
    inputs = merge.merge_inputs(uri, snapshot.version)
    return standalone_sql(inputs, snapshot) if dialect == "duckdb" else merge.merge_sql(inputs, dialect)


def write_rows(rows: pa.Table, output: Path) -> None:
    """Write a file whose ending says how: .parquet, .csv or .json (one object a line). It appears whole or not at all.

    In .csv nested values are JSON text and bytes base64.

    Raises:
        ArgumentError: another ending, or columns that the format cannot hold.
    """
    write = _WRITERS.get(output.suffix)
    if write is None:
        endings = ", ".join(_WRITERS)
        raise ArgumentError(f"expected an output file that ends in {endings}, got {output}. Try: rows.parquet")
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(8)}")  # no name that somebody could take before
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

    csv.write_csv(flattened(rows), path)


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
