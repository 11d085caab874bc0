"""Facts beside events for every kind of key: several fields, lists, other facts, methods, times, and defaults."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.every_key import Trip, TripBatchExecutor, TripExecutor, TripRow, row, trip
from trivium import Enrichment, Executor, Row
from trivium.config.worker_spec import spec_of
from trivium.samples.check import TypeCheck, check_samples, update_samples

Check = Callable[..., TypeCheck]
FORMS = pytest.mark.parametrize("executor", [TripExecutor, TripBatchExecutor], ids=["row", "column"])
EVENT = trip(origin="zrh", hour=5, stops=[1, 2, 1], fare="full")
FACTS = {
    "weather": {"wind": 3, "zone": "alps"},
    "region": {"name": "Alps"},
    "places": [{"name": "one", "owner": 10}, None, {"name": "one", "owner": 10}],
    "owners": [{"name": "ten"}, None, {"name": "ten"}],
    "cell": {"name": "Z"},
    "price": {"cents": 900},
    "usual": {"cents": 800},
}
SAID = {
    "weather": 3,
    "region": "Alps",
    "places": ["one", None, "one"],
    "owners": ["ten", None, "ten"],
    "cell": "Z",
    "price": 900,
    "usual": 800,
}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks these samples of an executor, whose module is said to lie in a folder of the test."""

    def run(executor: type, samples: list[dict[str, Any]], how: Any = check_samples) -> TypeCheck:
        (tmp_path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
        place = replace(executor.declaration, file=str(tmp_path / "executor.py"))
        monkeypatch.setattr(executor, "declaration", place)
        monkeypatch.chdir(tmp_path)
        (found,) = how(spec_of([executor]))
        return found  # type: ignore[no-any-return]

    return run


@FORMS
def test_each_kind_of_key_finds_its_fact(check: Check, executor: type) -> None:
    samples = [
        {"event": EVENT, "enrichments": FACTS, "rows": [row(**SAID)]},
        {"event": trip(), "rows": [row()]},
        {"event": trip(stops=[]), "enrichments": {"places": []}, "rows": [row(places=[], owners=[])]},
        {
            "event": trip(stops=[1, 2]),
            "enrichments": {"places": None},
            "rows": [row(places=[None] * 2, owners=[None] * 2)],
        },
    ]
    assert check(executor, samples).problems == ()


@FORMS
def test_a_fact_is_of_its_time_and_of_all_fields_of_its_key(check: Check, executor: type) -> None:
    later, other = trip(fare="full", at="2026-01-02T09:30:00Z"), trip(origin="zrh", hour=6)
    samples = [
        {"event": trip(fare="full"), "enrichments": {"price": {"cents": 1}}, "rows": [row(price=1)]},
        {"event": later, "enrichments": {"price": {"cents": 2}}, "rows": [row(price=2) | {"event_time": later["at"]}]},
        {"event": trip(origin="zrh", hour=5), "enrichments": {"weather": {"wind": 1}}, "rows": [row(weather=1)]},
        {"event": other, "enrichments": {"weather": {"wind": 2}}, "rows": [row(weather=2)]},
    ]
    assert check(executor, samples).problems == ()


@FORMS
@pytest.mark.parametrize(
    ("event", "facts", "said"),
    [
        (trip(stops=[1, 2]), {"places": [None]}, "places: expected a list of 2, a row or null for each key, got 1"),
        (trip(stops=[1]), {"places": {"name": "one"}}, "enrichment places: Expected `array | null`, got `object`"),
        (trip(stops=[1, 1]), {"places": [None, {"name": "one"}]}, "asks places for 1, which answers another one"),
        (trip(), {"weather": {"wind": 1}}, "weather has a row, but its key (origin, hour) is null"),
        (trip(origin="a"), {"weather": None, "region": {"name": "x"}}, "region has a row, but its key (weather.zone)"),
        (trip(), {"cell": {"name": "x"}}, "cell has a row, but its key (cell_of) is null"),
    ],
)
def test_facts_that_cannot_be_are_named(
    check: Check, executor: type, event: dict[str, Any], facts: dict[str, Any], said: str
) -> None:
    (problem,) = check(executor, [{"event": event, "enrichments": facts, "dropped": True}]).problems
    assert problem.startswith("samples.jsonl:1: enrichment ")
    assert said in problem


@FORMS
def test_no_outcome_is_written_of_a_fact_that_nobody_gave(check: Check, executor: type) -> None:
    event = trip(origin="zrh", hour=5, stops=[1, 2])
    stated = {"weather": {"wind": 1}, "cell": None, "places": [None, None], "usual": None}
    (problem,) = check(executor, [{"event": event, "enrichments": stated}], update_samples).problems
    assert "asked for price of 'basic' as of 2026-01-01T09:30:00+00:00, which the sample does not answer" in problem
    del stated["weather"], stated["places"]
    (problem,) = check(executor, [{"event": event, "enrichments": stated | {"price": None}}], update_samples).problems
    assert "asked for places of 1, places of 2, weather of ('zrh', 5), which the sample does not answer" in problem
    found = check(executor, [{"event": EVENT, "enrichments": FACTS}], update_samples)
    assert (found.problems, found.updated) == ((), (1,))


class Wind(Row):
    wind: int


class Zone(Row):
    zone: str | None = None


class TwoViews(Executor[Trip, TripRow]):
    wind = Enrichment(Wind, key=("origin", "hour"), lookup="weather")
    zone = Enrichment(Zone, key=("origin", "hour"), lookup="weather")

    def process(self, event: Trip, wind: Wind, zone: Zone) -> TripRow:
        return TripRow(event_id=event.id, event_time=event.at, said=f"{wind.wind} {zone.zone}")


def test_two_enrichments_see_their_own_columns_of_one_row(check: Check) -> None:
    event = trip(origin="zrh", hour=5)
    facts = {"wind": {"wind": 3}, "zone": {"zone": "alps"}}
    sample = {"event": event, "enrichments": facts, "rows": [row() | {"said": "3 alps"}]}
    assert check(TwoViews, [sample]).problems == ()
