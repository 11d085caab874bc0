"""A batch run leaves a broken type out and makes all others; once mended, its days are made from the archive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.own_executors import forget_executors, own_executors
from tests.support.platform_year import Platform, day
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.core.errors import RunError
from trivium.core.fault_points import InjectedFault
from trivium.delivery.commit.parked_types import parked_days
from trivium.delivery.delta.snapshot import Snapshot
from trivium.engine.breaker import SystemicRejects

__all__ = ["own_executors"]
PARKING = "{ratio: 0.9, window_events: 6, least: 2, then: park}"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Two types over three days, made once; refunds are broken since, and orders corrected."""
    made = Platform(tmp_path, ["order", "refund"])
    made.release("order")
    made.release("refund")
    made.list_types("order", "refund", breaker=PARKING)
    made.run()
    made.break_type("refund")
    made.release("order", factor=10)
    return made


def days(platform: Platform) -> list[tuple[str | None, str | None, int]]:
    """The days that refunds are still to be made of."""
    return [(each.start, each.end, each.inputs) for each in parked_days(platform.table).get("refund", [])]


def test_rows_and_letters_of_the_parked_type_stay_as_they_were(platform: Platform) -> None:
    before, letters = platform.rows()["refund"], platform.letters()
    report = platform.run(days=(0, 2))
    assert (report.counts["refund"].read, report.counts["refund"].parked) == (6, 6)
    assert report.counts["refund"].balanced()
    assert report.counts["order"].emitted_rows == 4
    assert platform.values("order") == [10, 20, 10, 20, 1, 2]
    assert platform.rows()["refund"] == before
    assert platform.letters() == letters == {"order": 3, "refund": 3}
    assert days(platform) == [("2026-01-01", "2026-01-03", 6)]


def test_a_type_that_was_never_made_has_no_row_until_it_is_mended(tmp_path: Path) -> None:
    made = Platform(tmp_path, ["order", "refund"])
    made.release("order")
    made.break_type("refund")
    made.list_types("order", "refund", breaker=PARKING)
    assert made.run().counts["refund"].parked == 9
    assert set(made.rows()) == {"order"}
    assert made.letters() == {"order": 3}
    made.release("refund")
    assert [each.report.total.emitted_rows for each in made.replay("refund").days] == [6]
    assert made.values("refund") == [1, 2] * 3
    assert made.letters() == {"order": 3, "refund": 3}
    assert days(made) == []


def test_it_is_counted_listed_and_made_by_one_command(platform: Platform) -> None:
    platform.run(days=(0, 1))
    platform.run(days=(2, 3))
    assert days(platform) == [("2026-01-01", "2026-01-02", 3), ("2026-01-03", "2026-01-04", 3)]
    trivium, config = Trivium(), str(platform.config)
    said = " ".join(trivium("status", config).stdout.split())
    assert "batch: 6 inputs of refund of [2026-01-01, 2026-01-02), [2026-01-03, 2026-01-04), held back since" in said
    planned = json.loads(trivium("plan", config, "--format", "json").stdout)
    assert planned["parked"] == ["refund"]
    assert planned["table"]["replaced"] == {str(day(number)): 1 for number in range(3)}, "files of orders alone"
    assert "event types refund: parked" in trivium("plan", config).stdout
    listed = trivium("dead-letters", "list", config).stdout
    assert "batch has left out refund, 6 inputs of [2026-01-01, 2026-01-02), [2026-01-03, 2026-01-04)" in listed
    platform.release("refund", factor=7)
    forget_executors()
    with in_this_process():
        done = trivium("dead-letters", "replay", config, "--parked", "refund")
    assert done.exit_code == 0, done.output
    assert "batch, [2026-01-01, 2026-01-02): 3 inputs: 2 emitted (2 rows), 0 dropped, 1 rejected" in done.stdout
    assert platform.values("refund") == [7, 14, 1, 2, 7, 14]
    assert platform.values("order") == [10, 20, 1, 2, 10, 20]
    assert days(platform) == []
    again = trivium("dead-letters", "replay", config, "--parked", "refund", "--format", "json")
    assert json.loads(again.stdout) == {"event_type": "refund", "letters": None, "days": []}


def test_a_run_of_the_mended_type_makes_its_days_as_well(platform: Platform) -> None:
    platform.run(days=(0, 2))
    platform.release("refund", factor=7)
    platform.run(days=(0, 1))
    assert days(platform) == [("2026-01-01", "2026-01-03", 6)], "a part of the days is made"
    platform.run()
    assert days(platform) == []
    assert platform.values("refund") == [7, 14] * 3


def test_the_same_version_stays_parked_at_once(platform: Platform) -> None:
    platform.run(days=(0, 1))
    generation = Snapshot.latest(platform.table).transaction("platform/batch/generation")
    assert platform.run(days=(1, 2)).generation == (generation or 0) + 1, "the run began twice"
    with pytest.raises(RunError, match="every event type of this run is parked: refund is parked since"):
        platform.run("refund")


def test_stale_days_of_other_types_are_made_beside_a_parked_one(platform: Platform) -> None:
    """Both types have rows of older versions; refunds, the first of the two runs, are parked."""
    before = platform.rows()["refund"]
    forget_executors()
    with in_this_process():
        first, second = (Trivium()("run", "batch", str(platform.config), "--stale") for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output + second.output
    assert "left as it is: every event type of this run is parked: refund" in first.stdout + second.stdout
    assert platform.values("order") == [10, 20] * 3
    assert platform.rows()["refund"] == before


def test_a_replay_by_an_executor_that_is_still_broken_changes_nothing(platform: Platform) -> None:
    before = platform.rows()["refund"]
    platform.run(days=(0, 2))
    kept = days(platform)
    with pytest.raises(SystemicRejects, match="event type refund"):
        platform.replay("refund")
    assert (platform.rows()["refund"], days(platform)) == (before, kept)
    platform.run(days=(2, 3))  # no run is refused for it
    assert days(platform) == [*kept, ("2026-01-03", "2026-01-04", 3)]


@pytest.mark.parametrize("point", ["park.recorded", "coverage.published"])
def test_a_run_that_ends_before_its_commit_loses_no_days(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    before = platform.rows()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    with pytest.raises(InjectedFault):
        platform.run(days=(0, 2))
    monkeypatch.delenv("TRIVIUM_FAULT_POINT")
    assert platform.rows() == before
    platform.run(days=(0, 2))
    assert platform.values("order") == [10, 20, 10, 20, 1, 2]
    assert days(platform) == [(str(day(0)), str(day(2)), 6)]
    platform.release("refund", factor=7)
    platform.replay("refund")
    assert platform.values("refund") == [7, 14, 7, 14, 1, 2]
