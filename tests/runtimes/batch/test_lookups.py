"""Lookups of batch runs: the state that answered is in the commit, and rows without their facts are made anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import deltalake
import pytest

from tests.support.rates_project import Rates, day, own_modules
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.cli.read import STATES
from trivium.delivery.commit.lookups import lookups_in
from trivium.engine.enrichment.enriched import FactState
from trivium.engine.lookups.usage import LookupUse

__all__ = ["own_modules"]
pytestmark = pytest.mark.usefixtures("own_modules")


@pytest.fixture
def trivium() -> Trivium:
    """The command line in this process."""
    return Trivium()


def run(project: Rates, *arguments: str) -> str:
    with in_this_process():
        done = Trivium()("run", "batch", str(project.config), *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def used(project: Rates) -> dict[str, LookupUse]:
    (commit, *_) = deltalake.DeltaTable(project.table).history(1)
    return lookups_in(commit)


def test_a_commit_names_the_state_of_each_lookup_that_answered(tmp_path: Path) -> None:
    project = Rates(tmp_path)
    project.write_day(0, {"order": ["EUR", "USD", "EUR"], "refund": [None]})
    run(project)
    assert project.rates() == {"order-0-0": 100, "order-0-1": None, "order-0-2": 100, "refund-0-0": None}
    use = used(project)["rates"]
    assert (use.counts["keys"], use.counts["found"], use.counts["missing"]) == (2, 1, 1)
    assert use.oldest is not None
    assert use.oldest == use.newest
    first = use.oldest.name
    project.write_rates({"EUR": 101})
    run(project, "--type", "order")
    newest = used(project)["rates"].newest
    assert newest is not None
    assert (newest.name != first, len(newest.name)) == (True, 8)


def test_status_shows_what_the_last_run_asked(tmp_path: Path, trivium: Trivium) -> None:
    project = Rates(tmp_path)
    project.write_day(0, {"order": ["EUR", "USD"], "refund": ["EUR"]})
    run(project)
    (status,) = json.loads(trivium("status", str(project.config), "--format", "json").stdout)["lookups"]
    assert (status["runtime"], status["lookup"]) == ("batch", "rates")
    assert status["use"]["counts"] == {"asks": 1, "keys": 2, "calls": 1, "called_keys": 2, "found": 1, "missing": 1}
    name = status["use"]["newest"]["name"]
    shown = " ".join(trivium("status", str(project.config)).stdout.split())
    assert f"batch rates 2 0 1 1 0 0 1 0 0 0 {name}" in shown


def test_a_lookup_that_nobody_asked_is_not_named(tmp_path: Path) -> None:
    project = Rates(tmp_path)
    project.write_day(0, {"refund": [None]})
    run(project)
    assert used(project) == {}


def test_what_earlier_releases_wrote_is_no_obstacle() -> None:
    assert lookups_in({"lookups": json.dumps({"rates": "0a1b2c"})}) == {}
    assert lookups_in({}) == {}


def incomplete(project: Rates, *arguments: str) -> list[tuple[str, str, str, str, int]]:
    done = Trivium()("read", str(project.config), "--incomplete", "--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    groups = json.loads(done.stdout)["groups"]
    assert {each["runtime"] for each in groups} <= {"batch"}
    return [(each["event_type"], each["enrichment"], each["state"], each["day"], each["rows"]) for each in groups]


@pytest.fixture
def outage(tmp_path: Path) -> Rates:
    """Three days of which the middle one's orders were made while the lookup was away, its refunds were not."""
    project = Rates(tmp_path)
    project.write_day(0, {"order": ["EUR", None], "refund": ["EUR"]})
    project.write_day(1, {"order": ["EUR", "CHF", None], "refund": ["CHF"]})
    project.write_day(2, {"order": ["CHF"], "refund": ["CHF"]})
    run(project)
    project.go_away()
    run(project, "--type", "order", "--from", day(1), "--to", day(2))
    project.come_back()
    return project


def test_rows_without_their_facts_are_counted(outage: Rates, trivium: Trivium, tmp_path: Path) -> None:
    null_keys = [("order", "rate", "null_key", day(0), 1), ("order", "rate", "null_key", day(1), 1)]
    unavailable = ("order", "rate", "unavailable", day(1), 2)
    assert incomplete(outage) == [*null_keys, unavailable]
    assert incomplete(outage, "--state", "unavailable") == [unavailable]
    assert incomplete(outage, "--version", "0") == []
    shown = trivium("read", str(outage.config), "--incomplete").stdout
    assert f"order rate unavailable {day(1)} batch 2" in " ".join(shown.split())
    assert "4 rows with such facts" in shown
    written = trivium(
        *("read", str(outage.config), "--incomplete", "--state", "unavailable"),
        *("--output", str(tmp_path / "rows.json")),
    )
    assert written.exit_code == 0, written.output
    rows = [json.loads(line) for line in (tmp_path / "rows.json").read_text().splitlines()]
    assert sorted(row["event_id"] for row in rows) == ["order-1-0", "order-1-1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--state", "missing"], "--state is for --incomplete"),
        (["--incomplete", "--sql", "duckdb"], "expected --incomplete or --sql"),
        (["--format", "json"], "--format is for --incomplete"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], said: str, tmp_path: Path, trivium: Trivium) -> None:
    done = trivium("read", str(tmp_path), *arguments)
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_the_command_knows_all_states() -> None:
    assert get_args(FactState) == STATES


def test_a_repair_makes_just_the_days_and_types_anew_that_lack_facts(outage: Rates) -> None:
    before = outage.lineage()
    assert outage.rates()["order-1-0"] is None
    said = run(outage, "--repair")
    assert f"order: 1 day to repair: {day(1)}" in said
    assert f"order: [{day(1)}, {day(2)})" in said
    assert outage.rates() == {
        "order-0-0": 100, "order-0-1": None, "order-1-0": 100, "order-1-1": 95, "order-1-2": None, "order-2-0": 95,
        "refund-0-0": 100, "refund-1-0": 95, "refund-2-0": 95,
    }  # fmt: skip
    changed = {event for event, made in outage.lineage().items() if before[event] != made}
    assert changed == {"order-1-0", "order-1-1", "order-1-2"}
    version = deltalake.DeltaTable(outage.table).version()
    assert "nothing is to be repaired" in run(outage, "--repair")
    assert deltalake.DeltaTable(outage.table).version() == version


def test_a_repair_asks_again_for_what_was_missing(tmp_path: Path) -> None:
    project = Rates(tmp_path)
    project.write_day(0, {"order": ["USD"], "refund": ["EUR"]})
    run(project)
    project.write_rates({"EUR": 100, "USD": 92})
    said = run(project, "--repair")
    assert (f"order: [{day(0)}, {day(1)})" in said, "refund" in said) == (True, False), said
    assert project.rates() == {"order-0-0": 92, "refund-0-0": 100}


def test_a_repair_and_other_choices_of_days_exclude_each_other(outage: Rates, trivium: Trivium) -> None:
    for arguments, said in (
        (["--repair", "--stale"], "expected --stale or --repair, got both"),
        (["--repair", "--from", day(0), "--to", day(1)], "expected --repair or --from and --to, got both"),
    ):
        done = trivium("run", "batch", str(outage.config), *arguments)
        assert (done.exit_code, said in done.output) == (2, True), done.output
