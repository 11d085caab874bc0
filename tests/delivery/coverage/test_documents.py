"""Coverage documents: where batch has read, run after run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.sample_table import Tables, day
from trivium.delivery.coverage import documents as coverage
from trivium.delivery.coverage.documents import CoverageReader, Reading
from trivium.delivery.coverage.scope import Scope, Window
from trivium.delivery.delta.transactions import ALL_DAYS

EVERY = [day(number).isoformat() for number in range(6)]


def _reading(days: Iterable[int], types: Mapping[str, Iterable[int]], late_days: int = 0, moment: int = 7) -> Reading:
    held = {name: frozenset(EVERY[number] for number in numbers) for name, numbers in types.items()}
    return Reading({EVERY[number]: moment for number in days}, held, late_days)


def _commit(tables: Tables, reading: Reading, window: Window | None = None, left: Iterable[int] = ()) -> int:
    scope = Scope(window, frozenset(reading.types), frozenset(EVERY[number] for number in left))
    return tables.commit(tables.proposed(tables.begin(), (), scope, reading)).version


def _known(tables: Tables) -> dict[str, coverage.DayCoverage]:
    return CoverageReader(tables.uri, tables.snapshot).of_days(EVERY)


def _window(start: int, end: int) -> Window:
    return Window(day(start), day(end))


def test_an_event_day_is_covered_by_itself_and_the_late_days_that_held_the_type(tables: Tables):
    _commit(tables, _reading([1, 2, 3], {"a": [1, 3], "b": [2]}, late_days=1))
    one, two, three = EVERY[1:4]
    assert _known(tables) == {
        one: {"a": {one: 7}, "b": {two: 7}},
        two: {"a": {three: 7}, "b": {two: 7}},
        three: {"a": {three: 7}},
    }


def test_an_event_day_whose_own_source_day_was_not_read_is_not_covered():
    reading = _reading([2, 3], {"a": [2, 3]}, late_days=1)
    assert reading.covers(EVERY[1]) == {}
    assert reading.covers(EVERY[2]) == {"a": {EVERY[2]: 7, EVERY[3]: 7}}


def test_a_run_leaves_the_coverage_of_other_types_and_days(tables: Tables):
    _commit(tables, _reading([0, 1, 2], {"a": [0, 1, 2], "b": [0, 1, 2]}))
    _commit(tables, _reading([1], {"a": [1]}, moment=8), _window(1, 2))
    assert _known(tables)[EVERY[1]] == {"a": {EVERY[1]: 8}, "b": {EVERY[1]: 7}}
    _commit(tables, _reading([1, 2], {"b": [2]}, moment=9))
    assert _known(tables) == {
        EVERY[0]: {"a": {EVERY[0]: 7}},
        EVERY[1]: {"a": {EVERY[1]: 8}},
        EVERY[2]: {"a": {EVERY[2]: 7}, "b": {EVERY[2]: 9}},
    }


def test_days_that_are_left_out_keep_what_they_had(tables: Tables):
    _commit(tables, _reading([0, 1], {"a": [0, 1], "b": [0]}))
    _commit(tables, _reading([1], {"a": [1], "b": []}, moment=9), left=[0])
    assert _known(tables) == {EVERY[0]: {"a": {EVERY[0]: 7}, "b": {EVERY[0]: 7}}, EVERY[1]: {"a": {EVERY[1]: 9}}}
    _commit(tables, _reading([0, 1], {"a": [0, 1], "b": []}, moment=10))
    assert _known(tables) == {EVERY[0]: {"a": {EVERY[0]: 10}}, EVERY[1]: {"a": {EVERY[1]: 10}}}


def test_a_source_without_days_covers_every_day_once_somebody_said_when_it_was_complete(tables: Tables):
    held = {"a": frozenset({ALL_DAYS}), "b": frozenset()}
    _commit(tables, _reading([0], {"a": [0], "b": [0]}))
    _commit(tables, Reading({ALL_DAYS: 50}, held))
    assert _known(tables) == {each: {"a": {ALL_DAYS: 50}} for each in EVERY}
    _commit(tables, Reading({ALL_DAYS: 0}, held))
    assert _known(tables) == {}


def test_every_version_finds_its_own(tables: Tables):
    before = tables.snapshot.version
    first = _commit(tables, _reading([0], {"a": [0]}))
    second = _commit(tables, _reading([0], {"a": [0]}, moment=9), _window(0, 1))
    at = {
        version: CoverageReader(tables.uri, tables.snapshot.at(tables.uri, version))
        for version in (before, first, second)
    }
    found = [at[version].of_days(EVERY).get(EVERY[0], {}) for version in (before, first, second)]
    assert found == [{}, {"a": {EVERY[0]: 7}}, {"a": {EVERY[0]: 9}}]


def test_all_source_days_that_were_read_are_known(tables: Tables):
    assert CoverageReader(tables.uri, tables.snapshot).source_days() == frozenset()
    _commit(tables, _reading([0, 1, 3], {"a": []}))
    _commit(tables, _reading([5], {"a": []}), _window(5, 6))
    assert CoverageReader(tables.uri, tables.snapshot).source_days() == {EVERY[n] for n in (0, 1, 3, 5)}


def test_a_commit_costs_what_it_covers(tables: Tables):
    year = [day(number).isoformat() for number in range(365)]
    reading = Reading(dict.fromkeys(year, 7), {"a": frozenset(year), "b": frozenset(year)}, late_days=2)
    proposal = tables.proposed(tables.begin(), (), Scope(None, frozenset("ab")), reading)
    assert len(proposal.covered.transactions("flights")) == 1
    tables.commit(proposal)
    tables.commit(
        tables.proposed(tables.begin(), (), Scope(_window(3, 5), frozenset("ab")), _reading([3, 4], {"a": [3]}))
    )
    sizes = [path.stat().st_size for path in sorted(Path(tables.uri, coverage.FOLDER).iterdir())]
    assert sizes[0] < 60_000
    assert sizes[1] < 300
