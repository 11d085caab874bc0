"""The event type is what a team owns: no run, release or removal changes a row of a type it was not asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.own_executors import own_executors
from tests.support.platform_year import Platform, day
from trivium.core.errors import RunError
from trivium.delivery.delta.snapshot import Snapshot

__all__ = ["own_executors"]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """Two teams' types over three days, run once; a third type is in the archive and nobody lists it yet."""
    made = Platform(tmp_path, ["order", "refund", "click"])
    for name in ("order", "refund"):
        made.release(name)
    made.list_types("order", "refund")
    made.run()
    return made


def others(platform: Platform, *names: str) -> dict[str, pa.Table]:
    """Rows of all types but these, every column of them."""
    return {name: rows for name, rows in platform.rows().items() if name not in names}


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


def test_a_year(platform: Platform) -> None:
    """A type is added, corrected, back-filled alone, widened, rolled back, left out and retired."""
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

    before = others(platform, "click")
    assert platform.retire("click", days=(0, 1)) == 2
    assert platform.rows()["click"]["event_date"].to_pylist() == [day(1)] * 2 + [day(2)] * 2
    assert platform.retire("click") == 4
    assert platform.rows() == before
    assert platform.letters() == {"click": 3, "order": 3, "refund": 3}
