"""`trivium retire` and `run batch --type` as a person uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.own_executors import own_executors
from tests.support.platform_year import Platform
from tests.support.terminal import Trivium
from trivium.cli.main import program
from trivium.delivery.delta.snapshot import Snapshot

__all__ = ["own_executors"]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    made = Platform(tmp_path, ["order", "refund"])
    for name in ("order", "refund"):
        made.release(name)
    made.list_types("order", "refund")
    made.run()
    return made


def test_it_shows_rows_and_days_and_asks(platform: Platform, trivium: Trivium) -> None:
    version = Snapshot.latest(platform.table).version
    done = trivium("retire", str(platform.config), "order", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "batch 6 3 3 days, 2026-01-01 to 2026-01-03" in " ".join(done.stdout.split())
    assert "the pipeline still lists this type: the next run adds rows again" in done.stdout
    assert "a dry run: nothing was done" in done.stdout
    refused = CliRunner().invoke(program, ["retire", str(platform.config), "order"], input="n\n")
    assert refused.exit_code == 1
    assert "remove 6 rows of order? [y/N]" in refused.stdout
    assert Snapshot.latest(platform.table).version == version


def test_it_removes_what_it_showed(platform: Platform, trivium: Trivium) -> None:
    platform.list_types("refund")
    before = platform.rows()["refund"]
    done = trivium("retire", str(platform.config), "order", "--to", "2026-01-03", "--from", "2026-01-01", "--yes")
    assert done.exit_code == 0, done.output
    assert f"done: {platform.table}, version " in done.stdout
    assert "still lists" not in done.stdout
    assert platform.values("order") == [1, 2]
    assert platform.rows()["refund"] == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ordr",), "has no rows of event type 'ordr'; did you mean order?"),
        (("order", "--from", "2027-01-01", "--to", "2027-02-01"), "of [2027-01-01, 2027-02-01)"),
        (("order", "--from", "2026-01-03"), "expected --from before --to"),
    ],
)
def test_what_is_not_there_is_said(platform: Platform, trivium: Trivium, arguments: tuple[str, ...], says: str) -> None:
    done = trivium("retire", str(platform.config), *arguments, "--yes")
    assert done.exit_code in (1, 2)
    assert says in " ".join(done.stderr.split())
    assert platform.values("order") == [1, 2] * 3


def test_plan_shows_a_run_of_some_types(platform: Platform, trivium: Trivium) -> None:
    done = trivium("plan", str(platform.config), "--type", "order", "--format", "json")
    assert done.exit_code == 0, done.output
    assert '"event_type": "order"' in done.stdout
    assert '"event_type": "refund"' not in done.stdout
    wrong = trivium("plan", str(platform.config), "--type", "ordr")
    assert wrong.exit_code == 1
    assert "got 'ordr'" in wrong.stderr
