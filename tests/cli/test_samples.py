"""`trivium samples take`: events of the source, with the facts that the pipeline's lookups answer."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

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
