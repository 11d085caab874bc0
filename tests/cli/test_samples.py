"""`trivium samples take`: events of the source, with the facts that the pipeline's lookups answer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.every_key import trip
from tests.support.every_kind import EVENT, FACT
from tests.support.every_kind import project as every_kind
from tests.support.shop import known_customers
from tests.support.terminal import Trivium
from trivium.config.compile import compile_file
from trivium.engine.decoding.decoder import Decoder
from trivium.samples.harness import typed_columns

SAMPLES = "executors/order/samples.jsonl"
SHOP = "configs/shop.yaml"
AWAY = '''
"""A lookup that knows some customers and is closed for others."""

import pyarrow as pa

from trivium import Answer, LookupSettings, LookupUnavailable


class AwaySettings(LookupSettings):
    """No keys of its own."""


class Away:
    """Closed for ada."""

    Settings = AwaySettings

    def __init__(self, settings, request):
        self.schema = request.schema

    def fetch(self, keys, deadline):
        if "ada" in keys.to_pylist():
            raise LookupUnavailable("closed")
        rows = pa.RecordBatch.from_pylist([{"country": "FR"}], schema=self.schema)
        return Answer(rows, pa.array([0] * len(keys), pa.int32()))
'''


def lines(project: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / SAMPLES).read_text().splitlines()]


def test_samples_have_the_facts_that_lookups_answer(project: Path, trivium: Trivium) -> None:
    pq.write_table(pa.table({"name": ["ada"], "country": ["CH"]}), known_customers(project))
    before = (project / SAMPLES).read_bytes()
    done = trivium("samples", "take", SHOP, "order", "--facts", "--count", "4")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"4 samples appended to {SAMPLES}", f"then: trivium check {SHOP} --update"]
    assert (project / SAMPLES).read_bytes().startswith(before)
    taken = lines(project)[4:]
    assert [set(each) - {"enrichments"} for each in taken] == [{"event"}] * 4
    facts = [each["enrichments"] for each in taken if "enrichments" in each]  # one that is not accepted has none
    assert facts
    assert all(each == {"known": {"country": "CH"}} for each in facts)
    (project / SAMPLES).write_bytes((project / SAMPLES).read_bytes().removeprefix(before))
    assert trivium("check", SHOP, "--update").exit_code == 0
    assert trivium("check", SHOP).exit_code == 0
    again = trivium("samples", "take", SHOP, "order", "--count", "4")
    assert again.stdout.startswith(f"0 samples appended to {SAMPLES} (4 of them were there already)")


def test_a_fact_that_was_not_answered_is_no_sample(project: Path, trivium: Trivium) -> None:
    known_customers(project)
    config = project / SHOP
    own = 'lookups: {known: {type: "executors.away:Away", retry: {attempts: 1}, unavailable: missing}}\n'
    config.write_text(config.read_text().partition("lookups:")[0] + own)
    (project / "executors/away.py").write_text(AWAY.lstrip())
    connected = trivium("check", "--connect").stdout
    said = "✓ lookups.known: executors.away:Away, opened for keys of string; 0 of 1 keys of the source have a row"
    assert f"{said}, 1 stayed unavailable" in connected
    before = (project / SAMPLES).read_bytes()
    orders = project / "orders.jsonl"
    order = {"event_type": "order", "order_id": "o-9", "placed_at": "2026-01-01T09:30:00Z", "amount": 150}
    records = [order | {"customer": "ada"}, order | {"customer": "eve"}, {"event_type": "visit"}]
    orders.write_text("\n".join(map(json.dumps, records)) + "\n{broken\n")
    done = trivium("samples", "take", SHOP, "order", "--facts", "--input", "orders.jsonl")
    assert done.exit_code == 1, done.output
    assert done.stdout.splitlines()[:2] == [
        f"1 sample appended to {SAMPLES}",
        "✗ known of 'ada' stayed unavailable: closed; its events were left out",
    ]
    assert (project / SAMPLES).read_bytes().startswith(before)
    assert lines(project)[4:] == [{"event": records[1], "enrichments": {"known": {"country": "FR"}}}]


def test_without_facts_only_events_are_taken(project: Path, trivium: Trivium) -> None:
    known_customers(project)
    done = trivium("samples", "take", SHOP, "order", "--count", "2")
    assert done.exit_code == 0, done.output
    assert [set(each) for each in lines(project)[4:]] == [{"event"}] * 2
    (unanswered,) = {trivium("check", SHOP, "--update").exit_code}
    assert unanswered == 1


def test_what_cannot_be_taken_is_said(project: Path, trivium: Trivium) -> None:
    wrong = trivium("samples", "take", SHOP, "ordre")
    assert (wrong.exit_code, "did you mean order?" in wrong.stderr) == (2, True)
    (project / "none.jsonl").write_text('{"event_type": "visit"}\n')
    none = trivium("samples", "take", SHOP, "order", "--input", "none.jsonl")
    assert none.exit_code == 2
    assert "expected events of type order in none.jsonl, found none" in none.stderr


def test_typed_columns_of_every_kind_become_samples(tmp_path: Path, trivium: Trivium) -> None:
    config = every_kind(tmp_path / "kinds")
    samples = tmp_path / "kinds/executors/thing/samples.jsonl"
    declaration = compile_file(config, runtime=None).executors["thing"].declaration
    events = [EVENT, EVENT | {"id": "e2", "extra": {"b": [1.0, None]}, "clock": "09:31:00", "the-place": None}]
    decoded = Decoder({"thing": declaration}, "event_type").decode([msgspec.json.encode(each) for each in events])
    (tmp_path / "kinds/events").mkdir()
    columns = typed_columns(declaration, decoded.events["thing"][1], "event_type")
    pq.write_table(pa.Table.from_batches([columns]), tmp_path / "kinds/events/part-0.parquet")
    config.write_text(config.read_text() + "batch: {source: {type: parquet, path: ../events}}\n")
    first = samples.read_text()
    samples.unlink()
    done = trivium("samples", "take", str(config), "thing", "--facts")
    assert done.exit_code == 0, done.output
    one, two = map(json.loads, samples.read_text().splitlines())
    assert one["enrichments"] == {"fact": FACT | {"start": "09:30:00.250000", "lasts": "PT3600S"}}
    assert (two["event"]["extra"], two["enrichments"]) == ({"b": [1.0, None]}, {"fact": None})
    assert trivium("check", str(config), "--update").exit_code == 0
    assert trivium("check", str(config)).exit_code == 0
    assert json.loads(samples.read_text().splitlines()[0])["rows"] == json.loads(first)["rows"]


TRIPS = """
pipeline: trips
executors: [{type: trip}]
lookups:
  weather: {type: parquet, path: ../facts/weather.parquet, key: [origin, hour]}
  region: {type: parquet, path: ../facts/region.parquet, key: zone}
  places: {type: parquet, path: ../facts/places.parquet, key: id}
  owners: {type: parquet, path: ../facts/owners.parquet, key: id}
  cell: {type: parquet, path: ../facts/cell.parquet, key: cell}
  price: {type: parquet, path: ../facts/price.parquet, key: fare, valid_from: since}
  usual: {type: parquet, path: ../facts/usual.parquet, key: fare}
table: {type: delta, path: ../tables/trips, partition_by: [event_date]}
dead_letters: {type: delta, path: ../tables/trips_dead_letters}
batch: {source: {type: parquet, path: ../events, value_column: value}}
"""
TRIP = '''
"""Trips."""

from tests.support.every_key import TripExecutor


class OwnTrips(TripExecutor):
    """Trips."""
'''
KNOWN: dict[str, dict[str, list[Any]]] = {
    "weather": {"origin": ["zrh", "zrh"], "hour": [5, 6], "wind": [3, 4], "zone": ["alps", None]},
    "region": {"zone": ["alps"], "name": ["Alps"]},
    "places": {"id": [1, 2], "name": ["one", "two"], "owner": [10, None]},
    "owners": {"id": [10], "name": ["ten"]},
    "cell": {"cell": ["z"], "name": ["Z"]},
    "price": {
        "fare": ["full", "full"],
        "since": [datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)],
        "cents": [1, 2],
    },
    "usual": {"fare": ["none"], "cents": [9]},
}


@pytest.fixture
def trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a fact by every kind of key, and two trips; the current folder."""
    root = tmp_path / "trips"
    for folder in ("executors/trip", "configs", "facts", "events"):
        (root / folder).mkdir(parents=True)
    for file, text in {"__init__.py": "", "trip/__init__.py": "", "trip/executor.py": TRIP}.items():
        (root / "executors" / file).write_text(text)
    (root / "configs/trips.yaml").write_text(TRIPS.lstrip())
    for name, columns in KNOWN.items():
        pq.write_table(pa.table(columns), root / f"facts/{name}.parquet")
    old = trip(id="2", fare="full", at="2025-06-01T00:00:00Z")
    events = [trip(origin="zrh", hour=5, stops=[1, 2, 3], fare="full"), old]
    pq.write_table(pa.table({"value": [json.dumps(each).encode() for each in events]}), root / "events/part-0.parquet")
    monkeypatch.chdir(root)
    return root


def test_facts_by_every_kind_of_key_are_taken(trips: Path, trivium: Trivium) -> None:
    done = trivium("samples", "take", "configs/trips.yaml", "trip", "--facts")
    assert done.exit_code == 0, done.output
    samples = [json.loads(line) for line in (trips / "executors/trip/samples.jsonl").read_text().splitlines()]
    facts = {each["event"]["id"]: each["enrichments"] for each in samples}
    assert facts == {
        "1": {
            "weather": {"wind": 3, "zone": "alps"},
            "region": {"name": "Alps"},
            "places": [{"name": "one", "owner": 10}, {"name": "two"}, None],
            "owners": [{"name": "ten"}, None, None],
            "cell": {"name": "Z"},
            "price": {"cents": 2},
            "usual": None,
        },
        "2": {"places": None, "owners": None, "price": {"cents": 1}, "usual": None},
    }
    assert trivium("check", "--update").exit_code == 0
    assert trivium("check").exit_code == 0


def test_hits_are_counted_for_every_kind_of_key(trips: Path, trivium: Trivium) -> None:
    done = trivium("check", "--connect")
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith("  ✓ lookups."))
    assert {name.removeprefix("  ✓ lookups."): text for name, text in found.items()} == {
        "weather": "parquet, keys of string, int64 fit; 1 of 1 keys of the source have a row",
        "region": "parquet, keys of string fit; 1 of 1 keys of the source have a row",
        "places": "parquet, keys of int64 fit; 2 of 3 keys of the source have a row",
        "owners": "parquet, keys of int64 fit; 1 of 1 keys of the source have a row",
        "cell": "parquet, keys of string fit; 1 of 1 keys of the source have a row",
        "price": "parquet, keys of string fit; 2 of 2 keys of the source have a row",
        "usual": "parquet, keys of string fit; 0 of 1 keys of the source have a row",
    }
