"""Days and stretches of days."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sample_table import day
from trivium.delivery.coverage.days import days_around, days_of, stretches


@given(st.sets(st.integers(0, 40)))
@settings(deadline=None)
def test_stretches_are_the_days_again(numbers: set[int]) -> None:
    days = sorted(day(number).isoformat() for number in numbers)
    found = stretches(days)
    assert days_of(found) == days
    assert len(found) == sum(number - 1 not in numbers for number in numbers)


def test_days_around_a_day_end_with_the_calendar() -> None:
    assert days_around("2026-03-01", before=1, after=1) == ["2026-02-28", "2026-03-01", "2026-03-02"]
    assert days_around("0001-01-01", before=3) == ["0001-01-01"]
    assert days_around("9999-12-31", after=3) == ["9999-12-31"]
