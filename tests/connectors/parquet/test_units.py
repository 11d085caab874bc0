"""Units of work: stable, packed, never cutting a row group, halved down to single records."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.kafka_batches import columns, places, reader, records, write
from trivium.connectors.archive.units import Range, Unit


def spans(units: list[Unit]) -> list[list[tuple[str, int, int]]]:
    return [[(each.path, each.start, each.stop) for each in unit.ranges] for unit in units]


def rows_of(unit: Unit) -> list[tuple[str, int]]:
    return [(each.path, row) for each in unit.ranges for row in range(each.start, each.stop)]


def test_a_row_group_is_never_cut(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(25), rows_per_group=10)
    plan = reader(tmp_path).plan()
    whole = [[("a.parquet", 0, 10)], [("a.parquet", 10, 20)], [("a.parquet", 20, 25)]]
    assert spans(plan.units(1, None)) == whole
    assert spans(plan.units(14, None)) == whole
    assert spans(plan.units(15, None)) == [[("a.parquet", 0, 10)], [("a.parquet", 10, 25)]]
    assert spans(plan.units(20, None)) == [[("a.parquet", 0, 20)], [("a.parquet", 20, 25)]]
    assert spans(plan.units(1000, None)) == [[("a.parquet", 0, 25)]]


def test_small_files_are_packed_into_one_unit(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"{number}.parquet", columns(4))
    units = reader(tmp_path).plan().units(12, None)
    assert [unit.rows for unit in units] == [12, 12, 12, 4]
    assert spans(units)[3] == [("9.parquet", 0, 4)]


def test_files_without_rows_have_no_part_in_any_unit(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(1).slice(1))
    write(tmp_path / "b.parquet", columns(2))
    assert spans(reader(tmp_path).plan().units(10, None)) == [[("b.parquet", 0, 2)]]


def test_units_hold_only_the_days_asked_for(tmp_path: Path) -> None:
    texts = ["2026-03-01", "2026-03-02", "2026-03-01", "2026-03-03"]
    days = [text for text in texts for _ in range(5)]
    write(tmp_path / "a.parquet", columns(20, day=days), rows_per_group=5)
    plan = reader(tmp_path, day_column="day").plan()
    chosen = plan.units(100, frozenset({"2026-03-01"}))
    assert spans(chosen) == [[("a.parquet", 0, 5), ("a.parquet", 10, 15)]]
    assert {each.day for unit in chosen for each in unit.ranges} == {"2026-03-01"}
    assert plan.units(100, frozenset({"2027-01-01"})) == []


def test_neighbours_of_different_days_stay_apart(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(4, day=["2026-03-01"] * 2 + ["2026-03-02"] * 2), rows_per_group=2)
    (unit,) = reader(tmp_path, day_column="day").plan().units(100, None)
    assert [(each.day, each.start, each.stop) for each in unit.ranges] == [("2026-03-01", 0, 2), ("2026-03-02", 2, 4)]


def test_the_oldest_file_gives_a_day_its_time_and_one_without_rows_makes_it_be_there(tmp_path: Path) -> None:
    for name, modified in (("day=2026-03-01/a", 10), ("day=2026-03-01/b", 30), ("day=2026-03-02/a", 20)):
        write(tmp_path / f"{name}.parquet", columns(1), modified=modified)
    write(tmp_path / "day=2026-03-03/a.parquet", columns(0), modified=40)
    plan = reader(tmp_path, day_column="day").plan()
    assert plan.days() == {"2026-03-01": 10_000_000, "2026-03-02": 20_000_000, "2026-03-03": 40_000_000}
    assert [unit.rows for unit in plan.units(100, frozenset({"2026-03-03"}))] == []


def test_the_order_in_which_files_came_changes_nothing(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.parquet" for folder in ("b", "a", "c") for number in (10, 9, 1)]
    for root, ordered in (("one", names), ("two", names[::-1])):
        for name in ordered:
            write(tmp_path / root / name, columns(7), rows_per_group=3, modified=1_000)
    one, two = (reader(tmp_path / root).plan().units(10, None) for root in ("one", "two"))
    assert one == two
    assert [unit.key({"window": None}) for unit in one] == [unit.key({"window": None}) for unit in two]


def test_the_key_changes_with_whatever_the_result_depends_on() -> None:
    plain = {"path": "a", "size": 1, "modified_us": 2, "day": "2026-03-01", "start": 0, "stop": 10}
    changes = [
        {}, {"path": "b"}, {"size": 2}, {"modified_us": 3}, {"day": None}, {"day": "2026-03-02"}, {"start": 1},
        {"stop": 9},
    ]  # fmt: skip
    keys = [Unit((Range(**(plain | change)),)).key({"window": None}) for change in changes]
    unit = Unit((Range(**plain),))
    contexts = [{"window": ["2026-03-01", "2026-03-02"]}, {"window": None, "lookups": {"plane": "x"}}]
    keys += [unit.key(context) for context in contexts]
    keys.append(Unit((Range(**plain), Range(**(plain | {"path": "b"})))).key({"window": None}))
    assert len(set(keys)) == len(keys)
    assert unit.key({"a": 1, "b": 2}) == unit.key({"b": 2, "a": 1})


@st.composite
def some_units(draw: st.DrawFn) -> Unit:
    ranges = []
    for number in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, 50))
        ranges.append(
            Range(f"f{number}", 1, 2, draw(st.sampled_from([None, "d"])), start, start + draw(st.integers(1, 9)))
        )
    return Unit(tuple(ranges))


def down_to_records(unit: Unit) -> Iterator[Unit]:
    if unit.rows == 1:
        yield unit
        return
    for half in unit.halves():
        yield from down_to_records(half)


@given(some_units())
def test_halves_part_the_rows(unit: Unit) -> None:
    first, second = unit.halves()
    assert rows_of(first) + rows_of(second) == rows_of(unit)
    assert abs(first.rows - second.rows) <= 1
    assert all(each.rows > 0 for half in (first, second) for each in half.ranges)


@given(some_units())
def test_halving_ends_at_every_single_record(unit: Unit) -> None:
    records = list(down_to_records(unit))
    assert [row for record in records for row in rows_of(record)] == rows_of(unit)
    assert len(records) == unit.rows


@given(some_units())
def test_a_unit_survives_its_journey_as_json(unit: Unit) -> None:
    assert msgspec.json.decode(msgspec.json.encode(unit), type=Unit) == unit


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
def test_halves_read_the_same_rows_at_the_same_positions(tmp_path: Path, raw: bool) -> None:
    settings = {"value_column": "value"} if raw else {}
    for name, rows in (("a", 11), ("b", 5), ("c", 1)):
        write(tmp_path / f"{name}.parquet", records(rows) if raw else columns(rows), rows_per_group=4)
    source = reader(tmp_path, **settings)
    (unit,) = source.plan().units(100, None)
    whole = [place for part in source.batches(unit) for place in places(part)]
    single = [place for one in down_to_records(unit) for part in source.batches(one) for place in places(part)]
    assert single == whole
    assert [(path, position) for path, position, _ in whole] == rows_of(unit)
