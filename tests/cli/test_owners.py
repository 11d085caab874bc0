"""Files of teams on the command line: which file lists a type, whose it is, in every view of a pipeline."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.terminal import Trivium

TEAM = "executors:\n  - {type: 'ord*', owner: shop, description: An order of the shop.}\n"


@pytest.fixture
def owned(ran: Path) -> str:
    """The pipeline file of the finished shop once more, its executor in the file of a team."""
    config = yaml.safe_load((ran / "configs/shop.yaml").read_text())
    del config["executors"]
    (ran / "configs/teams").mkdir(exist_ok=True)
    (ran / "configs/teams/shop.yaml").write_text(TEAM)
    (ran / "configs/owned.yaml").write_text(yaml.safe_dump({**config, "include": ["teams/*.yaml"]}, sort_keys=False))
    return "configs/owned.yaml"


def test_every_view_says_whose_a_type_is(owned: str, trivium: Trivium) -> None:
    plan, status, letters = (
        trivium(*command, owned).stdout for command in (["plan"], ["status"], ["dead-letters", "list"])
    )
    assert ", owned by shop\n" in plan
    assert "An order of the shop.\n" in plan
    assert "listed in configs/teams/shop.yaml:2\n" in plan
    for shown in (status, letters):
        rows = [line for line in shown.splitlines() if "order" in line.split() and "shop" in line.split()]
        assert rows, shown
        assert all(line.rstrip().endswith("An order of the shop.") for line in rows)
    summary = json.loads(trivium("plan", owned, "--format", "json").stdout)["executors"][0]
    assert (summary["owner"], summary["listed"]) == ("shop", "configs/teams/shop.yaml:2")
    owners = json.loads(trivium("status", owned, "--format", "json").stdout)["owners"]
    assert owners == {"order": {"owner": "shop", "description": "An order of the shop."}}
    groups = json.loads(trivium("dead-letters", "list", owned, "--format", "json").stdout)
    assert {(each["event_type"], each["owner"]) for each in groups} == {("order", "shop"), ("", None)}


def test_check_says_which_file_lists_a_type(owned: str, trivium: Trivium) -> None:
    done = trivium("check", owned)
    assert "order: 4 samples (configs/teams/shop.yaml:2)" in done.stdout, done.output
