"""The event type is what a team owns: no run, release or removal changes a row of a type it was not asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.own_executors import forget_executors, own_executors
from tests.support.platform_year import Platform, day
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.config.plan import Plan
from trivium.core.errors import RunError
from trivium.delivery.delta.snapshot import Snapshot
from trivium.operations.plans.versions import versions_of

__all__ = ["own_executors"]
PARKING = "{ratio: 0.9, window_events: 6, least: 2, then: park}"


@pytest.fixture
def trivium() -> Trivium:
    """The command line in this process."""
    return Trivium()


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Two teams' types over three days, run once; a third type is in the archive and nobody lists it yet."""
    made = Platform(tmp_path, ["order", "refund", "click"])
    for name in ("order", "refund"):
        made.release(name)
    made.list_types("order", "refund")
    made.run()
    return made


def others(platform: Platform, *names: str, rows: Mapping[str, pa.Table] | None = None) -> dict[str, pa.Table]:
    """Rows of all types but these, every column of them, as they are or were."""
    return {name: own for name, own in (rows or platform.rows()).items() if name not in names}


def test_a_type_is_made_anew_alone(platform: Platform) -> None:
    before, letters = others(platform, "order"), platform.letters()
    platform.release("order", factor=10)
    platform.release("refund", factor=99)
    report = platform.run("order")
    assert platform.values("order") == [10, 20] * 3
    assert others(platform, "order") == before
    assert platform.letters() == letters == {"order": 3, "refund": 3}
    assert set(report.counts) == {"order"}
    assert (report.total.read, report.total.emitted_rows, report.total.rejected) == (9, 6, 3)


def test_days_and_types_together(platform: Platform) -> None:
    before = others(platform, "order")
    platform.release("order", factor=10)
    platform.run("order", days=(1, 2))
    assert platform.values("order") == [1, 2, 10, 20, 1, 2]
    assert others(platform, "order") == before
    assert platform.letters() == {"order": 3, "refund": 3}


def test_a_run_of_one_type_runs_no_other_executor(platform: Platform) -> None:
    (platform.root / "executors" / "refund" / "executor.py").write_text(
        (platform.root / "executors" / "refund" / "executor.py")
        .read_text()
        .replace("if event.value < 0", "if event.value > -9")
    )
    before = others(platform, "order")
    platform.run("order")
    assert others(platform, "order") == before
    assert platform.letters() == {"order": 3, "refund": 3}


def test_a_type_that_is_not_listed_is_named(platform: Platform) -> None:
    version = Snapshot.latest(platform.table).version
    with pytest.raises(RunError, match=r"expected event types of configs/platform.yaml, got 'ordr'.*order"):
        platform.run("ordr")
    assert Snapshot.latest(platform.table).version == version


def broken_and_mended(platform: Platform) -> None:
    """Refunds break, are parked while orders change, and are processed once they are mended."""
    before, letters = platform.rows(), platform.letters()
    platform.break_type("refund")
    platform.list_types("order", "refund", breaker=PARKING)
    platform.release("order", factor=3)
    report = platform.run()
    assert (report.counts["refund"].read, report.counts["refund"].parked) == (9, 9)
    assert platform.values("order") == [3, 6] * 3
    assert others(platform, "order") == others(platform, "order", rows=before)
    assert platform.letters() == letters
    platform.release("refund", factor=7)
    platform.replay("refund")
    assert platform.values("refund") == [7, 14] * 3
    assert platform.letters() == letters
    assert platform.values("order") == [3, 6] * 3
    assert others(platform, "order", "refund") == others(platform, "order", "refund", rows=before)


def test_a_year(platform: Platform) -> None:
    """A type is added, corrected, back-filled alone, widened, rolled back, left out, broken, mended and retired."""
    before = platform.rows()

    platform.release("click")
    platform.list_types("order", "refund", "click")
    platform.run("click")
    assert platform.values("click") == [1, 2] * 3
    assert others(platform, "click") == before

    platform.release("order", factor=2)
    before = others(platform, "order")
    platform.run("order", days=(0, 1))
    assert platform.values("order") == [2, 4, 1, 2, 1, 2]
    platform.run("order")
    assert platform.values("order") == [2, 4] * 3
    assert others(platform, "order") == before

    platform.release("refund", columns={"refund_value": "int", "refund_cents": "Int32"})
    before = others(platform, "refund")
    platform.run("refund", days=(2, 3))
    assert platform.values("refund", "refund_cents") == [None] * 4 + [1, 2]
    assert others(platform, "refund") == before

    platform.release("refund", columns={"refund_value": "int", "refund_cents": "int"})
    platform.run("refund", days=(1, 2))
    assert platform.values("refund", "refund_cents") == [None] * 2 + [1, 2] * 2
    assert platform.rows()["refund"].schema.field("refund_cents").type == pa.int64()
    assert others(platform, "refund") == before

    platform.release("refund", columns={"refund_value": "int", "refund_cents": "Int32"})
    platform.run("refund", days=(0, 1))
    assert platform.values("refund", "refund_cents") == [1, 2] * 3
    platform.release("refund")
    platform.run("refund")
    assert platform.values("refund") == [1, 2] * 3
    assert "refund_cents" not in platform.rows()["refund"].column_names
    assert others(platform, "refund") == before

    platform.list_types("order", "refund")
    before = others(platform, "order", "refund")
    platform.run()
    assert others(platform, "order", "refund") == before
    assert platform.values("click") == [1, 2] * 3

    broken_and_mended(platform)

    before = others(platform, "click")
    assert platform.retire("click", days=(0, 1)) == 2
    assert platform.rows()["click"]["event_date"].to_pylist() == [day(1)] * 2 + [day(2)] * 2
    assert platform.retire("click") == 4
    assert platform.rows() == before
    assert platform.letters() == {"click": 3, "order": 3, "refund": 3}


def test_rows_say_which_version_made_them_and_stale_days_are_made_anew(platform: Platform, trivium: Trivium) -> None:
    first = {name: bound.version for name, bound in platform.compile().executors.items()}
    assert {name: set(rows["_executor"].to_pylist()) for name, rows in platform.rows().items()} == {
        name: {version} for name, version in first.items()
    }
    platform.release("order", factor=10)
    second = platform.compile().executors["order"].version
    assert second != first["order"]
    assert platform.compile().executors["refund"].version == first["refund"]
    platform.run("order", days=(1, 2))
    versions = versions_of(Snapshot.latest(platform.table))
    assert versions["order"] == {
        first["order"]: frozenset({"2026-01-01", "2026-01-03"}),
        second: frozenset({"2026-01-02"}),
    }
    planned = json.loads(trivium("plan", str(platform.config), "--format", "json").stdout)
    assert planned["stale"] == {"order": ["2026-01-01", "2026-01-03"]}
    status = " ".join(trivium("status", str(platform.config)).stdout.split())
    assert f"order {first['order']} 2 stale: trivium run batch CONFIG --stale" in status
    assert f"order {second} 1 today's" in status
    assert f"refund {first['refund']} 3 today's" in status
    before, refunds = Snapshot.latest(platform.table).version, platform.rows()["refund"]
    with in_this_process():
        done = trivium("run", "batch", str(platform.config), "--stale")
    assert done.exit_code == 0, done.output
    assert "order: [2026-01-01, 2026-01-02)" in done.stdout
    assert "order: [2026-01-03, 2026-01-04)" in done.stdout
    assert platform.values("order") == [10, 20] * 3
    assert set(platform.rows()["order"]["_executor"].to_pylist()) == {second}
    assert platform.rows()["refund"] == refunds
    after = Snapshot.latest(platform.table).version
    assert after > before
    with in_this_process():
        again = trivium("run", "batch", str(platform.config), "--stale")
    assert "nothing is stale" in again.stdout
    assert Snapshot.latest(platform.table).version == after


def test_a_plan_is_compared_with_the_one_of_the_last_commit(platform: Platform, trivium: Trivium) -> None:
    config = str(platform.config)
    same = trivium("plan", config, "--diff")
    assert (same.exit_code, "nothing that decides rows differs" in same.stdout) == (0, True), same.output
    before = platform.compile().plan
    shown = trivium("plan", config, "--show", before.plan_short)
    assert Plan.parse(shown.stdout.strip().encode()).plan == before.plan
    platform.release("order", factor=10)
    platform.release("click")
    platform.list_types("order", "click")
    forget_executors()
    done = trivium("plan", config, "--diff", before.plan_short[:8], "--format", "json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert [
        (each["event_type"], each["kind"], each["parts"], each["days"], each["rows"]) for each in found["types"]
    ] == [
        ("click", "added", [], 0, 0),
        ("order", "changed", ["source"], 3, 6),
        ("refund", "not listed", [], 0, 0),
    ]
    assert (found["new_columns"], found["unwritten_columns"]) == (["click_value"], ["refund_value"])
    text = trivium("plan", config, "--diff")
    assert "order changed source 3 6" in " ".join(text.stdout.split())
    unknown = trivium("plan", config, "--diff", "0123456789abcdef")
    assert unknown.exit_code == 2
    assert "the plan 0123456789abcdef was not kept" in unknown.stderr
