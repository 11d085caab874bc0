"""Lookups of batch runs: the state that answered is in the commit, and rows without their facts are made anew."""

from __future__ import annotations

import json
from pathlib import Path

import deltalake
import pytest

from tests.support.rates_project import Rates, own_modules
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.delivery.commit.lookups import lookups_in
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


def test_a_lookup_that_nobody_asked_is_not_named(tmp_path: Path) -> None:
    project = Rates(tmp_path)
    project.write_day(0, {"refund": [None]})
    run(project)
    assert used(project) == {}


def test_what_earlier_releases_wrote_is_no_obstacle() -> None:
    assert lookups_in({"lookups": json.dumps({"rates": "0a1b2c"})}) == {}
    assert lookups_in({}) == {}
