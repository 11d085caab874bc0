"""Compares what batch and streaming wrote into one table, with DuckDB and without Trivium.

Rows are equal if all columns agree that do not start with `_` (where a row came from) and are not derived from others.
"""

from dataclasses import dataclass

import duckdb
from deltalake import DeltaTable


@dataclass(frozen=True)
class Comparison:
    """Rows of each runtime, and rows that one has and the other has not (as multisets)."""

    batch: int
    streaming: int
    only_batch: int
    only_streaming: int

    def __str__(self) -> str:
        differing = self.only_batch + self.only_streaming
        what = "the same rows" if differing == 0 else f"{differing:,} rows that the other has not"
        return f"batch {self.batch:,} rows, streaming {self.streaming:,} rows: {what}"


def compare(table: str) -> Comparison:
    """Compare the two runtimes' rows of a table."""
    events = DeltaTable(table).to_pyarrow_dataset()
    columns = ", ".join(
        f'"{name}"' for name in events.schema.names if not name.startswith("_") and name != "event_date"
    )
    with duckdb.connect() as connection:
        connection.register("events", events)
        for runtime in ("batch", "streaming"):
            connection.execute(f"CREATE TABLE {runtime} AS SELECT {columns} FROM events WHERE _runtime = '{runtime}'")
        counts = (
            "SELECT count(*) FROM batch",
            "SELECT count(*) FROM streaming",
            "SELECT count(*) FROM (FROM batch EXCEPT ALL FROM streaming)",
            "SELECT count(*) FROM (FROM streaming EXCEPT ALL FROM batch)",
        )
        return Comparison(*(connection.sql(count).fetchall()[0][0] for count in counts))
