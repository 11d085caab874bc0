"""Asks the running service about real flights and compares its answers with the rows that batch and streaming wrote.

Run it from the repository: ``python -m jobs.ask_flights URL TABLE``. It asks about one day in thirty of the archive.
"""

import argparse
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from deltalake import DeltaTable

EVERY_DAYS = 30
EVENTS_PER_REQUEST = 250


@dataclass(frozen=True)
class Answers:
    """Number of events sent, the rows they became, and rows that only the answers or only the table have."""

    events: int
    rows: int
    only_answers: int
    only_table: int

    def __str__(self) -> str:
        differing = self.only_answers + self.only_table
        what = "the rows of the table" if differing == 0 else f"{differing:,} rows differ from the table's"
        return f"serving answered {self.events:,} events with {self.rows:,} rows: {what}"


def ask(url: str, events: list[bytes]) -> list[dict[str, Any]]:
    """Send events to the service; return one answer for each."""
    body = b"[" + b",".join(events) + b"]"
    request = urllib.request.Request(f"{url}/v1/events", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answers: list[dict[str, Any]] = json.load(answer)["events"]
    return answers


def some_days(archive: Path) -> Iterator[list[bytes]]:
    """Return the raw records of some days of the archive, in pieces of a request's size."""
    for path in sorted((archive / "raw").glob("day=*/*.parquet"))[::EVERY_DAYS]:
        values = pq.ParquetFile(path).read(columns=["value"])["value"].to_pylist()
        for start in range(0, len(values), EVENTS_PER_REQUEST):
            yield values[start : start + EVENTS_PER_REQUEST]


def compare(url: str, archive: Path, table: str) -> Answers:
    """Ask, and compare with batch's rows of the same events."""
    events = 0
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        for piece in some_days(archive):
            events += len(piece)
            for answer in ask(url, piece):
                file.writelines(json.dumps(row) + "\n" for row in answer.get("rows", ()))
        file.flush()
        return _compared(events, file.name, table)


def _compared(events: int, file: str, table: str) -> Answers:
    known = DeltaTable(table).to_pyarrow_dataset()
    names = [name for name in known.schema.names if not name.startswith("_") and name != "event_date"]
    with duckdb.connect() as connection:
        connection.register("known", known)
        columns = ", ".join(_quoted(name) for name in names)
        kinds = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE known)").fetchall())
        connection.execute(
            f"CREATE TABLE answered AS SELECT {columns} FROM read_json($1, columns = $2)",
            [file, {name: kinds[name] for name in names}],
        )
        connection.execute(
            f"CREATE TABLE written AS SELECT {columns} FROM known "
            "WHERE _runtime = 'batch' AND (kind, event_id) IN (SELECT (kind, event_id) FROM answered)"
        )
        counts = (
            "SELECT count(*) FROM answered",
            "SELECT count(*) FROM (FROM answered EXCEPT ALL FROM written)",
            "SELECT count(*) FROM (FROM written EXCEPT ALL FROM answered)",
        )
        return Answers(events, *(connection.sql(count).fetchall()[0][0] for count in counts))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def main() -> None:
    """Ask the service at a URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("table")
    parser.add_argument("--archive", type=Path, default=Path("data/flights"))
    arguments = parser.parse_args()
    print(compare(arguments.url, arguments.archive, arguments.table))


if __name__ == "__main__":
    main()
