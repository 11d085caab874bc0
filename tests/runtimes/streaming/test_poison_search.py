"""Finding one bad record: every step passes records or cuts the stretch that holds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.runtimes.streaming.poison_search import PoisonSearch, seconds_allowed


def hunt(records: int, bad: set[int]) -> tuple[set[int], int]:
    """Take a search through a partition; the records rejected unseen, and how many workers that cost."""
    search, at, rejected, lost = PoisonSearch("t/0"), 0, set(), 0
    for _ in range(100_000):
        stretch = range(at, min(records, at + search.limit))
        if not bad & set(stretch) - rejected:
            at = stretch.stop
            if search.passed(len(stretch)):
                return rejected, lost
            continue
        lost += 1
        if search.lost():
            rejected.add(at)
            search.rejected()
            at += 1
    pytest.fail("the hunt does not end")


@given(st.integers(1, 5_000), st.data())
def test_exactly_the_bad_records_are_rejected(records: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, records - 1), max_size=4))
    assert hunt(records, bad)[0] == bad


def test_one_bad_record_among_thousands_costs_a_handful_of_workers() -> None:
    for place in (0, 1, 500, 1023, 1024, 3000, 4999):
        assert hunt(5_000, {place})[1] <= 7


def test_a_partition_that_caught_up_is_no_suspect_any_more() -> None:
    assert PoisonSearch("t/0").passed(10)
    assert not PoisonSearch("t/0").passed(1024)


def test_a_single_record_gets_its_own_deadline_and_a_stretch_its_share() -> None:
    assert seconds_allowed(1, 300.0, 60.0) == 60.0
    assert seconds_allowed(3, 300.0, 60.0) == 180.0
    assert seconds_allowed(1024, 300.0, 60.0) == 300.0
    assert seconds_allowed(1024, 10.0, 60.0) == 60.0
