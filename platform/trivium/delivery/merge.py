"""The merge policy: which rows of a table count when batch and streaming both wrote, as data and as SQL.

- A day that batch has covered hides streaming rows ingested before that day's `complete_as_of`. Later rows are late
  events and stay.
- One row per `(_event_type, event_id)`: batch first (so a batch row hides streaming rows of its identity), then the
  latest ingestion, then the lowest source, position and row.

Polars is told to read through Arrow, which takes partition values from the log: its own scan takes them from paths, and
fails when files compacted by another engine lie beside ours.

The SQL is the policy; `read` runs its DuckDB form. `complete_as_of` stands in it as literals, for a pinned version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import duckdb
import pyarrow as pa

from trivium.delivery import transactions
from trivium.delivery.snapshot import Snapshot

Dialect = Literal["duckdb", "polars", "spark"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REGISTRATION: Final[dict[str, str]] = {
    "duckdb": (
        "-- Python: events = deltalake.DeltaTable({uri}, version={version}).to_pyarrow_dataset()\n"
        "--         duckdb.sql(this text) finds `events` by its name\n"
    ),
    "polars": (
        "-- Python: events = polars.scan_delta({uri}, version={version}, use_pyarrow=True)\n"
        "--         polars.SQLContext(events=events).execute(this text).collect()\n"
    ),
    "spark": (
        "-- Spark: CREATE OR REPLACE TEMPORARY VIEW events AS\n"
        "--        SELECT * FROM delta.`{path}` VERSION AS OF {version}\n"
    ),
}
_LITERAL: Final[dict[str, str]] = {
    "duckdb": "CAST('{}' AS TIMESTAMP WITH TIME ZONE)",
    "polars": "CAST('{}' AS TIMESTAMP WITH TIME ZONE)",
    "spark": "TIMESTAMP '{}'",
}
_QUOTE: Final = {"duckdb": '"', "polars": '"', "spark": "`"}


@dataclass(frozen=True)
class MergeInputs:
    """What the policy needs to know of one version: columns, and `complete_as_of` (microseconds) per covered day."""

    uri: str
    version: int
    pipeline: str
    columns: tuple[str, ...]
    complete_as_of: Mapping[str, int]


def merge_inputs(uri: str, at: int | datetime | None = None) -> MergeInputs:
    """The policy's inputs for a version, for the one that was current at a time, or for the newest (None)."""
    return _inputs(uri, Snapshot.at(uri, at))


def merge_sql(inputs: MergeInputs, dialect: Dialect) -> str:
    """The policy as a query over the relation `events`, the pinned version; its comments say how to name it."""
    quote = _QUOTE[dialect]
    columns = ", ".join(f"{quote}{name}{quote}" for name in inputs.columns)
    header = _REGISTRATION[dialect].format(uri=repr(inputs.uri), path=inputs.uri, version=inputs.version)
    return f"""{header}WITH visible AS (
  SELECT * FROM events{_not_hidden(inputs.complete_as_of, dialect)}
), ranked AS (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY _event_type, event_id
    ORDER BY CASE _runtime WHEN 'batch' THEN 0 ELSE 1 END, _ingested_at DESC, _source, _position, _row
  ) AS _rank
  FROM visible
)
SELECT {columns}
FROM ranked
WHERE _rank = 1
"""


def read(uri: str, at: int | datetime | None = None) -> pa.Table:
    """The rows that count, with the table's columns, at a version, at a time, or now (None)."""
    snapshot = Snapshot.at(uri, at)
    inputs = _inputs(uri, snapshot)
    events = snapshot.table.to_pyarrow_dataset()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", events)
        merged = connection.sql(merge_sql(inputs, "duckdb")).to_arrow_table()
    return merged.cast(events.schema)


def _inputs(uri: str, snapshot: Snapshot) -> MergeInputs:
    pipeline = snapshot.pipeline or ""
    asked = {day: snapshot.transaction(transactions.complete_as_of(pipeline, day)) for day in snapshot.event_days()}
    covered = {day: micros for day, micros in asked.items() if micros}
    columns = tuple(field.name for field in snapshot.schema.fields)
    return MergeInputs(uri, snapshot.version, pipeline, columns, covered)


def _not_hidden(complete_as_of: Mapping[str, int], dialect: Dialect) -> str:
    if not complete_as_of:
        return ""
    moments = {day: _moment(micros, dialect) for day, micros in sorted(complete_as_of.items())}
    cases = "\n".join(f"    WHEN DATE '{day}' THEN {moment}" for day, moment in moments.items())
    return f"""
  WHERE _runtime <> 'streaming' OR _ingested_at >= CASE event_date
{cases}
    ELSE {_moment(0, dialect)}
  END"""


def _moment(micros: int, dialect: Dialect) -> str:
    moment = _EPOCH + timedelta(microseconds=micros)
    return _LITERAL[dialect].format(f"{moment:%Y-%m-%d %H:%M:%S.%f}+00:00")
