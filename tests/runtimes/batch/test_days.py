"""Source days that are missing or gone, and what streamed rows a run speaks for: kinds with their right values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.lake import Archive, Call, Input, Lake, Streamed, moment
from tests.support.sample_table import day
from trivium.delivery.merge.query import merge_inputs

FOUR = {number: [Input("a", f"d{number}", number)] for number in range(4)}
WHOLE = Call()
LEAVE = Call(missing="leave")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    return Lake(tmp_path, 1, monkeypatch)


def nightly(archive: Archive) -> Mapping[int, datetime]:
    return {number: moment(number + 1, 1) for number in archive}


def run(lake: Lake, archive: Archive, call: Call = WHOLE) -> str | None:
    return lake.run(archive, nightly(archive), call)


def names(lake: Lake) -> list[str]:
    return sorted(name for _, name, _ in lake.reading())


def without(*gone: int) -> Archive:
    return {number: inputs for number, inputs in FOUR.items() if number not in gone}


def test_a_window_over_a_missing_day_is_refused_and_names_it(lake: Lake) -> None:
    refused = run(lake, without(1, 2), Call((0, 4)))
    assert refused is not None
    assert f"found no files of {day(1)}, {day(2)} (it has {day(0)} to {day(3)})" in refused
    assert "--allow-missing-days" in refused
    assert lake.reading() == set()


def test_very_many_missing_days_are_shortened(lake: Lake) -> None:
    refused = run(lake, FOUR, Call((0, 400)))
    assert refused is not None
    assert f"{day(4)}, " in refused
    assert f"{day(34)}, and 365 more" in refused


@pytest.mark.parametrize("call", [Call(), Call((0, 4)), Call((1, 2))])
def test_a_day_that_was_read_and_is_gone_is_refused(lake: Lake, call: Call) -> None:
    run(lake, FOUR)
    refused = run(lake, without(1), call)
    assert refused is not None
    assert f"found no files of {day(1)} " in refused
    assert names(lake) == ["d0", "d1", "d2", "d3"]


def test_days_a_windowed_run_read_are_known_to_a_whole_run(lake: Lake) -> None:
    run(lake, FOUR, Call((1, 2)))
    assert str(day(2)) in (run(lake, without(2)) or "")
    assert run(lake, without(0, 3)) is None


def test_a_late_day_may_be_missing_unless_it_was_read(lake: Lake) -> None:
    assert run(lake, without(2, 3), Call((1, 2))) is None
    assert run(lake, without(3), Call((1, 2))) is None
    assert str(day(2)) in (run(lake, without(2, 3), Call((1, 2))) or "")


def test_what_may_hold_rows_of_a_day_that_is_gone_is_left_alone(lake: Lake) -> None:
    archive = {**FOUR, 2: [*FOUR[2], Input("a", "late", 1), Input("a", "early", 3), Input("a", "lately", 0)]}
    run(lake, archive)
    changed = {number: [Input("a", f"new{number}", number)] for number in (0, 1, 3)}
    assert run(lake, changed, LEAVE) is None
    assert names(lake) == ["d0", "d1", "d2", "d3", "early", "late", "lately"]
    assert run(lake, {**changed, 4: [Input("a", "new4", 4)]}, LEAVE) is None
    assert names(lake) == ["d0", "d1", "d2", "d3", "early", "late", "lately", "new4"]


def test_the_late_days_before_a_day_that_is_gone_are_left_alone_though_no_row_came_of_it(lake: Lake) -> None:
    lake.stream([Streamed("a", "ghost", 1, moment(2, 9))])
    run(lake, {**FOUR, 2: [*FOUR[2], Input("a", "dropped", 1, "drop")]})
    assert names(lake) == ["d0", "d1", "d2", "d3"]
    run(lake, {number: [Input("a", f"new{number}", number)] for number in (0, 1, 3)}, LEAVE)
    assert names(lake) == ["d1", "d2", "new0", "new3"]


def test_of_a_day_that_never_was_only_the_day_itself_is_left_alone(lake: Lake) -> None:
    run(lake, {0: FOUR[0], 1: [Input("a", "x", 1), Input("a", "x2", 2)]}, Call((0, 3), missing="leave"))
    assert names(lake) == ["d0", "x"]


def test_a_day_whose_files_hold_no_rows_is_there(lake: Lake) -> None:
    run(lake, FOUR)
    assert run(lake, {**FOUR, 1: []}) is None
    assert names(lake) == ["d0", "d2", "d3"]


@pytest.mark.parametrize("call", [WHOLE, Call((0, 4)), Call((1, 2))])
def test_a_day_without_rows_says_so_of_the_types_that_were_read(lake: Lake, call: Call) -> None:
    lake.stream([Streamed("a", "ghost", 1, moment(1, 9)), Streamed("b", "unknown", 1, moment(1, 9))])
    run(lake, {**FOUR, 1: []}, call)
    assert {"ghost", "unknown"} & set(names(lake)) == {"unknown"}


def test_a_run_that_leaves_days_out_covers_nothing_of_them(lake: Lake) -> None:
    lake.stream([Streamed("a", f"s{number}", number, moment(number, 9)) for number in range(4)])
    run(lake, without(1), Call((0, 4), missing="leave"))
    assert names(lake) == ["d0", "d2", "d3", "s1"]
    assert sorted(merge_inputs(lake.uri).coverage) == [str(day(number)) for number in (0, 2, 3)]


def test_a_type_counts_only_for_source_days_that_held_it(lake: Lake) -> None:
    lake.stream([Streamed("b", f"s{number}", number, moment(number, 9)) for number in range(4)])
    archive = {**FOUR, 2: [*FOUR[2], Input("b", "b2", 2)]}
    run(lake, archive)
    assert names(lake) == ["b2", "d0", "d1", "d2", "d3", "s0", "s1", "s3"]


@pytest.mark.parametrize("fate", ["row", "drop", "reject"])
def test_a_type_was_read_whatever_became_of_its_inputs(lake: Lake, fate) -> None:
    lake.stream([Streamed("a", "ghost", 0, moment(0, 9))])
    run(lake, {0: [Input("a", "x", 0, fate)]})
    assert "ghost" not in names(lake)


def test_a_source_day_is_complete_when_its_oldest_file_was_written_or_as_said(lake: Lake) -> None:
    at = moment(0, 18)
    lake.stream([Streamed("a", "before", 0, at - timedelta(microseconds=1)), Streamed("a", "after", 0, at)])
    lake.run({0: FOUR[0]}, {0: at}, Call())
    assert names(lake) == ["after", "d0"]
    lake.run({0: FOUR[0]}, {0: at}, Call(complete=moment(0, 1)))
    assert names(lake) == ["after", "before", "d0"]
    lake.run({0: FOUR[0]}, {0: at}, Call((0, 1), complete=moment(9)))
    assert names(lake) == ["d0"]


def test_what_an_unlisted_type_left_stays_row_cover_and_letter(lake: Lake) -> None:
    both = {0: [Input("a", "x", 0), Input("b", "y", 0), Input("b", "bad", 0, "reject"), Input("a", "bad", 0, "reject")]}
    lake.stream([Streamed("a", "ga", 0, moment(0, 9)), Streamed("b", "gb", 0, moment(0, 9))])
    run(lake, both)
    letters = lake.letters()
    for call in (Call((0, 1), frozenset("a")), Call(None, frozenset("a"))):
        assert run(lake, both, call) is None
        assert names(lake) == ["x", "y"]
        assert lake.letters() == letters
    run(lake, {0: [Input("a", "x", 0)]}, Call(None, frozenset("a")))
    assert [kind for kind, _, _ in lake.letters()] == ["b"]
    assert names(lake) == ["x", "y"]
    run(lake, {0: [Input("a", "x", 0)]})
    assert lake.letters() == []
    assert names(lake) == ["gb", "x"]
