"""The merge policy: which rows of a table count when batch and streaming both wrote, as data and as SQL.

- A streaming row is hidden where a batch run read what would have held it and no batch row has its identity: its event
  day and event type are covered, and it was ingested within a source day that was read for them, before that day was
  complete (see `coverage`). Other rows are late, early or unknown to the archive, and stay.
- One row per `(_event_type, event_id)`: batch first (so a batch row hides streaming rows of its identity), then the
  latest ingestion, then the lowest source, position and row.

Polars has to read through Arrow, which takes partition values from the log: its own scan takes them from paths, and
fails when files compacted by another engine lie beside ours.

The SQL is the policy; `read` runs its DuckDB form. What is covered stands in it as literals, for a pinned version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.types as pt

from trivium.delivery.coverage.documents import CoverageReader, DayCoverage
from trivium.delivery.coverage.sql import hidden_condition
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.merge.sql_text import Dialect, free_name, identifier

_HEADER: Final[dict[Dialect, str]] = {
    "duckdb": (
        "-- Python: events = deltalake.DeltaTable({uri!r}, version={version}).to_pyarrow_dataset()\n"
        "--         duckdb.sql(this text) finds `events` by its name\n"
    ),
    "polars": (
        "-- Python: events = polars.scan_delta({uri!r}, version={version}, use_pyarrow=True)\n"
        "--         polars.SQLContext(events=events).execute(this text).collect()\n"
    ),
    "spark": (
        '-- Python: events = spark.read.format("delta").option("versionAsOf", {version}).load({uri!r})\n'
        '--         events.createOrReplaceTempView("events"); spark.sql(this text)\n'
    ),
}
"""How to name the relation. `repr` keeps a URI on its line, so that nothing in it ends the comment."""


@dataclass(frozen=True)
class MergeInputs:
    """The policy's input of one version: columns, and the coverage of event days with streamed rows."""

    uri: str
    version: int
    pipeline: str
    columns: tuple[str, ...]
    coverage: Mapping[str, DayCoverage]


def merge_inputs(uri: str, at: int | datetime | None = None) -> MergeInputs:
    """Return the policy's inputs for a version, for the one that was current at a time, or for the newest (None)."""
    return _inputs(uri, Snapshot.at(uri, at))


def merge_sql(inputs: MergeInputs, dialect: Dialect) -> str:
    """Write the policy as a query over the relation `events`, the pinned version; its comments say how to name it."""
    columns = ", ".join(identifier(name, dialect) for name in inputs.columns)
    rank = identifier(free_name("_rank", inputs.columns), dialect)
    header = _HEADER[dialect].format(uri=inputs.uri, version=inputs.version)
    return f"""{header}WITH visible AS (
  SELECT * FROM events{_not_hidden(inputs.coverage, dialect)}
), ranked AS (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY _event_type, event_id
    ORDER BY CASE _runtime WHEN 'batch' THEN 0 ELSE 1 END, _ingested_at DESC, _source, _position, _row
  ) AS {rank}
  FROM visible
)
SELECT {columns}
FROM ranked
WHERE {rank} = 1
"""


def read(uri: str, at: int | datetime | None = None) -> pa.Table:
    """Return the rows that count, with the table's columns, at a version, at a time, or now (None)."""
    snapshot = Snapshot.at(uri, at)
    events = snapshot.table.to_pyarrow_dataset()
    merged = _run(merge_sql(_inputs(uri, snapshot), "duckdb"), events)
    return merged.cast(pa.schema([field.with_type(_nullable(field.type)) for field in events.schema]))


def counts_with(uri: str, at: int | datetime | None, present: str, columns: Sequence[str]) -> pa.Table:
    """Count those of the rows that count which have a value in `present`, as `rows`, by the values of `columns`."""
    snapshot = Snapshot.at(uri, at)
    chosen = ", ".join(identifier(name, "duckdb") for name in columns)
    statement = (
        f"SELECT {chosen}, count(*) AS rows FROM ({merge_sql(_inputs(uri, snapshot), 'duckdb')}) "
        f"WHERE {identifier(present, 'duckdb')} IS NOT NULL GROUP BY ALL"
    )
    return _run(statement, snapshot.table.to_pyarrow_dataset())


def _run(statement: str, events: Any) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")
        connection.register("events", events)
        return connection.sql(statement).to_arrow_table()


def _nullable(kind: pa.DataType) -> pa.DataType:
    """Return a type whose children may be null: Arrow casts no null struct to one with a required child."""
    if pt.is_struct(kind):
        return pa.struct([pa.field(child.name, _nullable(child.type)) for child in kind])
    if pt.is_list(kind):
        return pa.list_(kind.value_field.with_type(_nullable(kind.value_type)).with_nullable(True))
    if pt.is_map(kind):
        return pa.map_(kind.key_type, _nullable(kind.item_type))
    return kind


def _inputs(uri: str, snapshot: Snapshot) -> MergeInputs:
    values = [file.partition_values for file in snapshot.active.values()]
    days = {each.get("event_date") for each in values if each.get("_runtime") == "streaming"}
    covered = CoverageReader(uri, snapshot).of_days(sorted(day for day in days if day is not None))
    columns = tuple(field.name for field in snapshot.schema.fields)
    return MergeInputs(uri, snapshot.version, snapshot.pipeline or "", columns, covered)


def _not_hidden(coverage: Mapping[str, DayCoverage], dialect: Dialect) -> str:
    hidden = hidden_condition(coverage, dialect)
    return (
        f"""
  WHERE _runtime <> 'streaming' OR NOT (
    {hidden}
  )"""
        if hidden
        else ""
    )
