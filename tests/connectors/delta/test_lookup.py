"""A Delta table as a lookup: the version that answers, pinned, followed, and as of an event's time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from tests.support.foreign_features import FOR_READERS
from tests.support.processes import until
from tests.support.shelf_lookup import bound, day, halls, halls_at, opened
from trivium.connectors import open_lookup
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.delivery.errors import StorageError, UnsupportedFeature
from trivium.testing import ManualClock
from trivium.types.spec import UTC_MICROSECONDS

DELTA: dict[str, Any] = {"type": "delta"}


def put(table: Path, rows: Sequence[tuple[str, str]], at: datetime | None = None, mode: Any = "overwrite") -> int:
    """Write a version; `at` is its time as its entry has it."""
    codes, found = ([each[place] for each in rows] for place in (0, 1))
    columns = {"code": pa.array(codes, pa.string()), "hall": pa.array(found, pa.string())}
    write_deltalake(table, pa.table(columns), mode=mode)
    version = DeltaTable(table).version()
    if at is not None:
        stamp(table, version, at)
    return version


def stamp(table: Path, version: int, at: datetime) -> None:
    entry = table / f"_delta_log/{version:020}.json"
    actions = [json.loads(line) for line in entry.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = round(at.timestamp() * 1000)
    entry.write_text("\n".join(map(json.dumps, actions)))


def test_the_newest_version_answers_or_the_one_that_is_set(tmp_path: Path) -> None:
    put(tmp_path / "t", [("A", "north"), ("B", "east")])
    put(tmp_path / "t", [("A", "south")])
    assert halls(opened(tmp_path / "t", **DELTA), ["A", "B"]) == ["south", None]
    assert halls(opened(tmp_path / "t", **DELTA, version=0), ["A", "B"]) == ["north", "east"]
    with pytest.raises(SourceError, match="expected version 7, the newest is 1"):
        opened(tmp_path / "t", **DELTA, version=7)


def test_a_new_version_is_followed_after_refresh_seconds(tmp_path: Path) -> None:
    clock = ManualClock()
    put(tmp_path / "t", [("A", "north")])
    lookup = opened(tmp_path / "t", clock=clock, **DELTA, refresh_seconds=60.0)
    fixed = opened(tmp_path / "t", clock=clock, **DELTA, refresh_seconds=60.0, version=0)
    assert lookup.snapshot().startswith("0-")
    put(tmp_path / "t", [("A", "south")])
    assert halls(lookup, ["A"]) == ["north"]
    clock.seconds = 60.0
    until(lambda: halls(lookup, ["A"]) == ["south"], "the new version answers", 10)
    assert lookup.snapshot().startswith("1-")
    assert halls(fixed, ["A"]) == ["north"]


def test_a_worker_opens_the_version_that_the_driver_named(tmp_path: Path) -> None:
    put(tmp_path / "t", [("A", "north")])
    section, clock = bound(tmp_path / "t", **DELTA), ManualClock()
    named = open_lookup(section, clock, pinned=True).snapshot()  # type: ignore[attr-defined]
    put(tmp_path / "t", [("A", "south")])
    worker: Any = open_lookup(section, clock, pinned=True, snapshot=named)
    assert (halls(worker, ["A"]), worker.snapshot()) == (["north"], named)


def test_another_table_in_the_same_place_has_another_snapshot(tmp_path: Path) -> None:
    put(tmp_path / "t", [("A", "north")])
    put(tmp_path / "u", [("A", "north")])
    assert opened(tmp_path / "t", **DELTA).snapshot() != opened(tmp_path / "u", **DELTA).snapshot()


def test_a_fact_of_a_time_is_that_of_the_version_that_was_the_newest_then(tmp_path: Path) -> None:
    table = tmp_path / "t"
    put(table, [("A", "north"), ("B", "east")], day(1))
    put(table, [("C", "west")], day(3), "append")
    put(table, [("A", "south"), ("C", "west")], day(5))
    section = {**DELTA, "as_of": True}
    lookup = open_lookup(_by_version(bound(table, **section)), ManualClock(), pinned=True)
    asked = [("A", day(1)), ("A", day(4)), ("A", day(5)), ("B", day(4)), ("B", day(5)), ("C", day(2)), ("C", day(9))]
    asked.append(("A", datetime(2026, 2, 28, 23, 59, tzinfo=UTC)))
    expected = ["north", "north", "south", "east", None, None, "west", None]
    assert halls_at(lookup, [key for key, _ in asked], [at for _, at in asked]) == expected
    assert halls(lookup, ["A", "B", "C"]) == ["south", None, "west"], "without a time the newest version answers"


def _by_version(lookup: Any, **more: Any) -> Any:
    """The same lookup with `as_of: version` in its section, which `bound` takes for the request's."""
    return replace(lookup, config=lookup.config.model_copy(update={"as_of": "version", **more}))


def test_rows_deleted_by_the_newest_version_are_gone_now_and_were_there_before(tmp_path: Path) -> None:
    table = tmp_path / "t"
    put(table, [("A", "north")], day(1))
    put(table, [("B", "east")], day(2), "append")
    DeltaTable(table).delete("code = 'B'", commit_properties=CommitProperties())
    stamp(table, 2, day(3))
    lookup = open_lookup(_by_version(bound(table, **DELTA, as_of=True)), ManualClock(), pinned=True)
    assert halls(lookup, ["A", "B"]) == ["north", None]
    assert halls_at(lookup, ["B", "B", "B"], [day(1), day(2), day(3)]) == [None, "east", None]


def test_at_most_so_many_versions_are_held_and_those_with_lost_files_are_not(tmp_path: Path) -> None:
    table = tmp_path / "t"
    for number in range(1, 6):
        put(table, [("A", f"h{number}")], day(number))
    section = bound(table, **DELTA, as_of=True)
    days = [day(number) for number in range(1, 6)]
    some = open_lookup(_by_version(section, max_versions=3), ManualClock())
    assert halls_at(some, ["A"] * 5, days) == [None, None, "h3", "h4", "h5"]
    Path(DeltaTable(table, version=1).file_uris()[0]).unlink()
    left = open_lookup(_by_version(section), ManualClock())
    assert halls_at(left, ["A"] * 5, days) == [None, None, "h3", "h4", "h5"]
    Path(DeltaTable(table).file_uris()[0]).unlink()
    with pytest.raises(SourceError, match=r"the newest version names .* which is gone"):
        open_lookup(_by_version(section), ManualClock())


def test_versions_before_a_checkpoint_whose_entries_went_are_not_held(tmp_path: Path) -> None:
    table = tmp_path / "t"
    for number in range(1, 6):
        put(table, [("A", f"h{number}")], day(number))
        if number == 3:
            DeltaTable(table).create_checkpoint()
    (table / "_delta_log" / f"{0:020}.json").unlink()
    lookup = open_lookup(_by_version(bound(table, **DELTA, as_of=True)), ManualClock())
    assert halls_at(lookup, ["A"] * 5, [day(number) for number in range(1, 6)]) == [None, None, "h3", "h4", "h5"]


def test_times_in_columns_hold_for_a_table_too(tmp_path: Path) -> None:
    rows = {"code": ["A", "A"], "hall": ["north", "south"], "since": pa.array([day(1), day(5)], UTC_MICROSECONDS)}
    write_deltalake(tmp_path / "t", pa.table(rows))
    lookup = opened(tmp_path / "t", **DELTA, as_of=True, valid_from="since")
    assert halls_at(lookup, ["A", "A"], [day(4), day(5)]) == ["north", "south"]


def test_columns_of_partitions_are_read(tmp_path: Path) -> None:
    rows = pa.table({"code": ["A", "B"], "hall": ["north", None]})
    write_deltalake(tmp_path / "t", rows, partition_by=["hall"])
    lookup = opened(tmp_path / "t", **DELTA)
    assert halls(lookup, ["A", "B", "C"]) == ["north", None, None]


def test_a_table_without_rows_answers_nothing_and_one_without_the_key_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "t", [])
    assert halls(opened(tmp_path / "t", **DELTA), ["A"]) == [None]
    with pytest.raises(SourceError, match="column tail: it is the key and missing"):
        opened(tmp_path / "t", **DELTA, key="tail")


def test_no_table_and_a_key_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected a Delta table, found none"):
        opened(tmp_path / "nothing", **DELTA)
    put(tmp_path / "t", [("A", "north"), ("A", "south")])
    with pytest.raises(LookupAnswerError, match="1 keys more than once, such as 'A'"):
        opened(tmp_path / "t", **DELTA)


@pytest.mark.parametrize("feature", sorted(FOR_READERS))
def test_a_feature_that_is_not_implemented_is_refused_by_its_name(tmp_path: Path, feature: str) -> None:
    put(tmp_path / "t", [("A", "north")])
    FOR_READERS[feature].put(str(tmp_path / "t"))
    with pytest.raises((UnsupportedFeature, StorageError), match="Try: "):
        opened(tmp_path / "t", **DELTA)
