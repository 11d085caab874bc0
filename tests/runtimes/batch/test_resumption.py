"""Runs that go on after a death and a change: only the event types that are made otherwise now run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.own_executors import own_executors
from tests.support.platform_year import Platform
from trivium.core import fault_points
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.files.unit_markers import UnitMarker
from trivium.runtimes.batch.prepare import BatchArguments
from trivium.runtimes.batch.report import BatchReport
from trivium.runtimes.batch.resumption import UNTYPED, made_by, resumable
from trivium.runtimes.batch.run import run_batch
from trivium.runtimes.in_flight import InFlight

__all__ = ["own_executors"]

TYPES = ("order", "refund", "click")


class Died(BaseException):
    """The end of a driver."""


def die(name: str, _action: str) -> None:
    raise Died(name)


@contextmanager
def ran() -> Iterator[Counter[str]]:
    """Count the inputs that workers take through executors, by event type."""
    counted: Counter[str] = Counter()
    finished = InFlight.finished

    def counting(in_flight: InFlight[Any]) -> Any:
        if found := finished(in_flight):
            counted.update({name: each.read for name, each in found[1].counts().items() if name[0] != "_"})
        return found

    with patch.object(InFlight, "finished", counting):
        yield counted


@pytest.fixture
def platform(tmp_path: Path, own_executors: None) -> Platform:
    """Three types over three days in a unit each, with one record that has no type."""
    made = Platform(tmp_path, TYPES)
    for name in TYPES:
        made.release(name)
    made.list_types(*TYPES)
    made.config.write_text(made.config.read_text() + "  unit_rows: 1\n")
    broken = pa.table({"value": pa.array([b"{"], pa.binary())})
    pq.write_table(broken, next(tmp_path.glob("data/*")) / "part-1.parquet")
    return made


def killed(platform: Platform, *types: str, step: str = "table.before_commit") -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fault_points, "_strike", die)
        patched.setenv("TRIVIUM_FAULT_POINT", step)
        with pytest.raises(Died):
            platform.run(*types)


def whole(platform: Platform, report: BatchReport) -> None:
    """Every input has its one outcome, whoever made it."""
    for name in TYPES:
        counts = report.counts[name]
        assert (counts.read, counts.emitted_inputs, counts.rejected) == (9, 6, 3)
        assert platform.rows()[name].num_rows == 6
    letters = dead_letters.read(f"{platform.table}_dead_letters", platform.table)
    places = list(zip(letters["source"].to_pylist(), letters["position"].to_pylist(), strict=True))
    assert len(places) == len(set(places)) == 10
    assert Counter(letters["event_type"].to_pylist()) == {"order": 3, "refund": 3, "click": 3, None: 1}
    assert list(Path(platform.table, "_trivium", "runs").rglob("*.json")) == []


def test_after_a_change_to_one_executor_only_its_type_runs_again(platform: Platform) -> None:
    killed(platform)
    platform.release("order", factor=10)
    with ran() as counted:
        report = platform.run()
    assert counted == {"order": 9}
    assert (report.units, report.units_reused, report.units_reused_in_part) == (4, 0, 4)
    assert (platform.values("order"), platform.values("refund")) == ([10, 20] * 3, [1, 2] * 3)
    whole(platform, report)


def test_workers_of_a_cluster_do_the_same(platform: Platform, ray_cluster: str) -> None:
    killed(platform)
    platform.release("order", factor=10)
    report = run_batch(platform.compile(), BatchArguments())
    assert (report.units_reused, report.units_reused_in_part) == (0, 4)
    assert (platform.values("order"), platform.values("refund")) == ([10, 20] * 3, [1, 2] * 3)
    whole(platform, report)


def test_without_a_change_nothing_runs_again(platform: Platform) -> None:
    killed(platform)
    with ran() as counted:
        report = platform.run()
    assert counted == {}
    assert (report.units_reused, report.units_reused_in_part) == (4, 0)
    whole(platform, report)


@pytest.mark.parametrize("step", ["dead_letters.after_commit", "unit.after_files"])
def test_a_second_death_leaves_what_both_runs_made(platform: Platform, step: str) -> None:
    killed(platform)
    platform.release("order", factor=10)
    killed(platform, step=step)
    platform.release("refund", factor=10)
    with ran() as counted:
        report = platform.run()
    again = 0 if step == "dead_letters.after_commit" else 9
    assert counted == Counter(order=again, refund=9)
    assert (platform.values("order"), platform.values("click")) == ([10, 20] * 3, [1, 2] * 3)
    whole(platform, report)


def test_a_new_column_of_one_type_leaves_the_others(platform: Platform) -> None:
    killed(platform)
    platform.release("click", columns={"click_value": "int", "again": "int"})
    with ran() as counted:
        report = platform.run()
    assert counted == {"click": 9}
    assert platform.values("click", "again") == [1, 2] * 3
    whole(platform, report)


def test_a_type_more_is_another_run(platform: Platform) -> None:
    """Its inputs counted as unrouted in what the killed run finished."""
    platform.list_types("order", "refund")
    killed(platform)
    platform.list_types(*TYPES)
    with ran() as counted:
        platform.run()
    assert counted == dict.fromkeys(TYPES, 9)


def test_types_that_were_asked_for_are_resumed_by_themselves(platform: Platform) -> None:
    killed(platform, "order", "refund")
    platform.release("refund", factor=10)
    with ran() as counted:
        report = platform.run("order", "refund")
    assert counted == {"refund": 9}
    assert report.units_reused_in_part == 4
    assert platform.values("refund") == [10, 20] * 3


def test_what_makes_a_type_holds_its_columns_as_the_table_takes_them(platform: Platform) -> None:
    pipeline = platform.compile()
    wider = pa.schema(
        [each.with_type(pa.float64()) if each.name == "order_value" else each for each in pipeline.table_columns]
    )
    one, other = made_by(pipeline, {}), made_by(pipeline.writing(wider), {})
    assert {name for name in one if one[name] != other[name]} == {"order"}
    assert set(one) == {*TYPES, UNTYPED}
    assert set(made_by(pipeline.of_types(["order"]), {})) == {"order"}


def test_of_a_unit_is_used_what_is_made_the_same_way():
    made = {UNTYPED: "u", "a": "1", "b": "2"}
    markers = {
        "same": UnitMarker("same", 1, (), made=made),
        "one type": UnitMarker("one type", 1, (), made=made | {"a": "0"}),
        "every type": UnitMarker("every type", 1, (), made=made | {"a": "0", "b": "0"}),
        "those without a type": UnitMarker("those without a type", 1, (), made=made | {UNTYPED: "v"}),
        "unknown": UnitMarker("unknown", 1, ()),
        "another run's": UnitMarker("another run's", 1, (), made=made),
    }
    found = resumable(markers, markers.keys() - {"another run's"}, made)
    assert (set(found.done), dict(found.rests)) == ({"same"}, {"one type": frozenset("a")})
