"""Samples with facts: shared lookups, types of keys, both forms, and what among others means."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.sales import ROW, SHOP, SaleExecutor, sale
from trivium import Event, Executor, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.samples.check import TypeCheck, check_samples, update_samples


class Tick(Event, tag="tick"):
    id: str
    at: datetime
    value: float


class TickRow(NormalizedEvent):
    value: float


class TickExecutor(Executor[Tick, TickRow]):
    def process_batch(self, events: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        keep = pc.greater(events.column("value"), 0.0)
        kept = events.filter(keep)
        arrays = [kept.column("id"), kept.column("at"), kept.column("value")]
        rows = pa.RecordBatch.from_arrays(arrays, schema=self.declaration.row_schema)
        return rows, pa.array(range(events.num_rows), pa.int32()).filter(keep)


Check = Callable[[type, list[dict[str, Any]]], TypeCheck]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks these samples of an executor, whose module is said to lie in a folder of the test."""

    def run(executor: type, samples: list[dict[str, Any]]) -> TypeCheck:
        (tmp_path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
        place = replace(executor.declaration, file=str(tmp_path / "executor.py"))
        monkeypatch.setattr(executor, "declaration", place)
        monkeypatch.chdir(tmp_path)
        (found,) = check_samples(spec_of([executor], {"sale": SaleExecutor.Options(prefix="not of samples")}))
        return found

    return run


def test_facts_of_samples_reach_the_executor_with_its_default_options(check: Check) -> None:
    found = check(SaleExecutor, [{"event": sale(), "enrichments": {"own": SHOP}, "rows": [ROW]}])
    assert (found.samples, found.problems) == (1, ())


def test_a_key_may_have_other_facts_in_every_sample(check: Check) -> None:
    south = {**SHOP, "name": "south"}
    samples = [
        {"event": sale(), "enrichments": {"own": SHOP}, "rows": [ROW]},
        {"event": sale(), "enrichments": {"own": south}, "rows": [{**ROW, "shop_name": "south"}]},
        {"event": sale(), "enrichments": {"own": None}, "rejected": "enrichment_missing"},
        {"event": sale(2), "enrichments": {"own": south}, "rows": [{**ROW, "shop_name": "south"}]},
    ]
    assert check(SaleExecutor, samples).problems == ()


def test_two_enrichments_share_a_lookup_by_their_own_keys(check: Check) -> None:
    event, facts = sale(otherShop=7), {"own": SHOP, "second": {"name": "Bern"}}
    assert (
        check(SaleExecutor, [{"event": event, "enrichments": facts, "rows": [{**ROW, "city": "Bern"}]}]).problems == ()
    )


@pytest.mark.parametrize(
    ("event", "facts", "said"),
    [
        (sale(otherShop=1), {"own": SHOP, "second": {"name": "x"}}, "which answers another one otherwise"),
        (sale(), {"own": SHOP, "second": {"name": "x"}}, "has a row, but its key (other) is null"),
        (sale(), {"own": {"fee": "1.50"}}, "enrichment own: Object missing required field `name`"),
        (sale(), {"own": {**SHOP, "fee": "1.505"}}, "enrichment own: "),
        (sale(), {"shop": SHOP}, "no enrichment shop (one of own, second)"),
    ],
)
def test_facts_that_cannot_be_are_named(check: Check, event: dict[str, Any], facts: dict[str, Any], said: str) -> None:
    found = check(SaleExecutor, [{"event": event, "enrichments": facts, "rows": [ROW]}])
    assert len(found.problems) == 1
    assert found.problems[0].startswith("samples.jsonl:1: ")
    assert said in found.problems[0]


def test_the_column_form_is_checked_alike(check: Check) -> None:
    def tick(value: float) -> dict[str, Any]:
        return {"event_type": "tick", "id": "1", "at": "2026-01-01T09:30:00Z", "value": value}

    row = {"event_id": "1", "event_time": "2026-01-01T09:30:00Z", "value": 0.1}
    samples = [
        {"event": tick(0.1), "rows": [row]},
        {"event": tick(-1), "dropped": True},
        {"event": tick(0.2), "rows": [{**row, "valeu": 1}]},
    ]
    assert check(TickExecutor, samples).problems == (
        "samples.jsonl:3: rows[0]: there is no column valeu (did you mean value?)",
        "samples.jsonl:3: rows[0].value: expected 0.1, got 0.2",
    )


def test_written_outcomes_check(check: Check, tmp_path: Path) -> None:
    assert check(SaleExecutor, [{"event": sale(), "enrichments": {"own": SHOP}}]).problems != ()
    (updated,) = update_samples(spec_of([SaleExecutor]))
    assert updated.updated == (1,)
    written = json.loads((tmp_path / "samples.jsonl").read_text())
    assert written == {"event": sale(), "enrichments": {"own": SHOP}, "rows": [ROW]}
    (again,) = update_samples(spec_of([SaleExecutor]))
    assert (again.updated, again.problems) == ((), ())
