"""The flights archive: counted, identified and timed as the source says, the same in both forms."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import redis
from deltalake import DeltaTable

from jobs import flight_records, prepare_flights
from jobs.flight_facts import airlines_in_valkey


@pytest.fixture(scope="module")
def typed(flights: Path) -> pa.Table:
    days = ds.partitioning(pa.schema([("day", pa.date32())]), flavor="hive")
    return ds.dataset(flights / "typed", partitioning=days).to_table()


@pytest.fixture(scope="module")
def source() -> pa.Table:
    return flight_records.read_flights(flight_records.find_source())


def raw_lines(flights: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((flights / "raw").glob("day=*/part-0.parquet")):
        for line in ds.dataset(path).to_table()["value"].to_pylist():
            yield msgspec.json.decode(line)


def event(typed: pa.Table, event_type: str, flight_id: str) -> dict[str, Any]:
    chosen = (pc.field("event_type") == event_type) & (pc.field("flight_id") == flight_id)
    (row,) = typed.filter(chosen).to_pylist()
    return row


def test_every_event_of_the_year_is_there_once(typed: pa.Table) -> None:
    counts = {row["values"]: row["counts"] for row in pc.value_counts(typed["event_type"]).to_pylist()}
    assert counts == {"departure": 328_521, "arrival": 327_346, "cancellation": 8_255, "diversion": 1_175}
    identities = typed.group_by(["event_type", "flight_id"]).aggregate([])
    assert identities.num_rows == typed.num_rows == 665_297
    assert pc.count_distinct(typed["flight_id"]).as_py() == 336_776


def test_the_first_flight_of_the_year_has_departed_and_arrived(typed: pa.Table) -> None:
    shared = {
        "flight_id": "2013-01-01-UA1545-EWR-0515",
        "scheduled": datetime(2013, 1, 1, 10, 15, tzinfo=UTC),
        "carrier": "UA",
        "flight_number": 1545,
        "tail_number": "N14228",
        "origin": "EWR",
        "destination": "IAH",
        "distance_miles": 1400,
        "day": date(2013, 1, 1),
    }
    departure = {"event_type": "departure", **shared, "delay_minutes": 2, "air_time_minutes": None}
    arrival = {"event_type": "arrival", **shared, "delay_minutes": 11, "air_time_minutes": 227}
    assert event(typed, "departure", shared["flight_id"]) == departure
    assert event(typed, "arrival", shared["flight_id"]) == arrival


def test_a_cancelled_flight_has_neither_delay_nor_other_events(typed: pa.Table) -> None:
    rows = typed.filter(pc.field("flight_id") == "2013-01-01-EV4308-EWR-1630").to_pylist()
    assert [row["event_type"] for row in rows] == ["cancellation"]
    assert rows[0]["delay_minutes"] is rows[0]["air_time_minutes"] is None
    assert rows[0]["scheduled"] == datetime(2013, 1, 1, 21, 30, tzinfo=UTC)


def test_a_diverted_flight_departed_and_did_not_arrive(typed: pa.Table) -> None:
    diverted = typed.filter(pc.field("event_type") == "diversion")["flight_id"]
    rows = typed.filter(pc.is_in(typed["flight_id"], diverted))
    assert sorted(set(rows["event_type"].to_pylist())) == ["departure", "diversion"]
    assert rows.num_rows == 2 * len(diverted)


def test_scheduled_times_follow_daylight_saving(typed: pa.Table, source: pa.Table) -> None:
    """The source's own UTC hour is the oracle: the step derives its times from the local clock and never reads it."""
    ids = flight_records.flight_id(source)
    oracle = pc.add(source["time_hour"], pc.multiply(source["minute"], 60).cast(pa.duration("s")))
    expected = pa.table({"flight_id": ids, "expected": oracle})
    joined = typed.select(["flight_id", "scheduled"]).join(expected, "flight_id")
    assert pc.all(pc.equal(joined["scheduled"].cast(pa.timestamp("s", "UTC")), joined["expected"])).as_py()


@pytest.mark.parametrize(
    ("month", "day", "utc_hour"),
    [(3, 9, 10), (3, 10, 9), (11, 2, 9), (11, 3, 10)],
    ids=["before spring", "spring", "before autumn", "autumn"],
)
def test_five_in_the_morning_on_the_days_the_clocks_change(month: int, day: int, utc_hour: int) -> None:
    flights = pa.table({"year": [2013], "month": [month], "day": [day], "sched_dep_time": [500], "origin": ["JFK"]})
    airports = pa.table({"faa": ["JFK"], "tzone": ["America/New_York"]})
    (scheduled,) = flight_records.scheduled_utc(flights, airports).to_pylist()
    assert scheduled == datetime(2013, month, day, utc_hour, tzinfo=UTC)


def test_records_are_archived_up_to_one_day_after_their_schedule_never_before(typed: pa.Table, flights: Path) -> None:
    scheduled_day = typed["scheduled"].cast(pa.timestamp("us")).cast(pa.date32())
    late = pc.days_between(scheduled_day, typed["day"])
    assert pc.min_max(late).as_py() == {"min": 0, "max": 1}
    assert prepare_flights.finished_summary(flights)["late_days"] == 1


def test_a_delay_over_midnight_moves_the_record_to_the_next_day(typed: pa.Table) -> None:
    late = typed.filter((pc.field("event_type") == "departure") & (pc.field("delay_minutes") == 1301)).to_pylist()
    assert [(row["flight_id"], row["scheduled"].day, row["day"].day) for row in late] == [
        ("2013-01-09-HA51-JFK-0900", 9, 10)
    ]


def test_raw_lines_say_what_the_typed_rows_say_in_the_same_order(flights: Path, typed: pa.Table) -> None:
    optional = {"delay_minutes", "air_time_minutes"}
    rows = typed.drop_columns(["day"])
    text = pc.strftime(rows["scheduled"].cast(pa.timestamp("s", "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
    rows = rows.set_column(2, "scheduled", text).to_pylist()
    for line, row in zip(raw_lines(flights), rows, strict=True):
        assert list(line) == flight_records.FIELDS[row["event_type"]]
        assert line | {name: line.get(name) for name in optional} == row


def test_types_are_mixed_inside_a_day(flights: Path) -> None:
    day = ds.dataset(flights / "typed" / "day=2013-06-01").to_table()
    first = set(day["event_type"].slice(0, 20).to_pylist())
    assert {"departure", "arrival"} <= first


def test_facts_have_unique_keys_and_no_text_for_missing_values(flights: Path) -> None:
    tables = {
        "tailnum": (pq.read_table(flights / "planes.parquet"), 3_322),
        "faa": (DeltaTable(flights / "airports").to_pyarrow_table(), 1_458),
        "carrier": (pq.read_table(flights / "airlines.parquet"), 16),
    }
    for key, (table, rows) in tables.items():
        assert table.num_rows == pc.count_distinct(table[key]).as_py() == rows
    years = tables["tailnum"][0]["year"]
    assert years.type == pa.int64()
    assert years.null_count > 0


def test_an_hour_of_weather_says_when_it_is_valid(flights: Path) -> None:
    with closing(sqlite3.connect(flights / "weather.sqlite")) as database:
        hours = database.execute("SELECT count(*), count(temp), min(hour_begins), max(hour_ends) FROM weather")
        assert hours.fetchall() == [(26_115, 26_114, "2013-01-01T06:00:00Z", "2013-12-31T00:00:00Z")]
        chosen = "SELECT * FROM weather WHERE origin = 'EWR' AND hour_begins = '2013-01-01T10:00:00Z'"
        assert database.execute(chosen).fetchall() == [
            ("EWR", "2013-01-01T10:00:00Z", "2013-01-01T11:00:00Z", 39.02, 12.658579999999999, 10.0)
        ]


def test_airlines_are_in_a_valkey_as_long_as_it_is_wanted(flights: Path) -> None:
    with airlines_in_valkey(flights) as url, redis.Redis.from_url(url) as client:
        assert json.loads(client.get("airline:UA")) == {"carrier": "UA", "name": "United Air Lines Inc."}
        assert client.dbsize() == 16
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(url) as client:
        client.ping()


def test_facts_of_no_archive_say_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(flight_records.PreparationError, match=r"python -m jobs\.prepare_flights"):
        airlines_in_valkey(tmp_path).__enter__()


def test_a_finished_folder_is_reused(flights: Path) -> None:
    before = (flights / "source.json").stat().st_mtime_ns
    prepare_flights.prepare(flights)
    assert (flights / "source.json").stat().st_mtime_ns == before


def test_a_folder_made_from_another_source_is_replaced_whole(flights: Path, tmp_path: Path) -> None:
    output = tmp_path / "flights"
    (output / "raw" / "day=1999-01-01").mkdir(parents=True)
    (output / "source.json").write_text('{"digest": "of something else"}')
    assert prepare_flights.prepare(output) == prepare_flights.finished_summary(flights)
    assert not (output / "raw" / "day=1999-01-01").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["flights"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(flight_records.PreparationError, match="name another folder"):
        prepare_flights.prepare(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_another_edition_of_the_source_is_refused() -> None:
    events = pa.table({"event_type": ["departure", "departure", "arrival"]})
    with pytest.raises(flight_records.PreparationError, match=r"got \{'departure': 2, 'arrival': 1\}"):
        flight_records.check_counts(events)


def test_a_flight_listed_twice_is_refused(source: pa.Table) -> None:
    twice = pa.concat_tables([source.slice(0, 3), source.slice(2, 1)])
    with pytest.raises(flight_records.PreparationError, match="got 3 for 4 flights"):
        flight_records.flight_id(twice)
