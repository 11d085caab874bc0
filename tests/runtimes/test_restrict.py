"""A batch held to a window: each input has one outcome, whatever came of it and whatever day it is of."""

from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.emitted_rows import emitted_rows
from trivium.connectors.archive.slices import Slice
from trivium.delivery.coverage.scope import Scope, Window
from trivium.engine.batch import RawBatch
from trivium.engine.outcomes import Counts, Outcomes, Reject
from trivium.runtimes.batch.window import InWindow, restrict

DAYS = [date(2026, 3, number) for number in range(1, 6)]
Fate = tuple[str, str, tuple[date, ...]]
some_days = st.sampled_from(DAYS)
fates = st.one_of(
    st.tuples(st.just("emitted"), st.sampled_from("ab"), st.lists(some_days, min_size=1, max_size=3).map(tuple)),
    st.tuples(st.sampled_from(["dropped", "rejected"]), st.sampled_from("ab"), st.just(())),
)
batches = st.lists(st.tuples(fates, some_days), max_size=12)


def outcomes_of(inputs: list[tuple[Fate, date]]) -> Outcomes:
    out = Outcomes(read=len(inputs))
    for kind in "ab":
        rows = [(n, each) for n, ((fate, name, dates), _) in enumerate(inputs) if name == kind for each in dates]
        if rows:
            times = pa.array([each for _, each in rows], pa.date32()).cast(pa.timestamp("us", "UTC"))
            made = pa.RecordBatch.from_pydict({"n": [n for n, _ in rows], "event_time": times})
            out.emitted[kind] = emitted_rows(kind, made, [n for n, _ in rows])
        dropped = [n for n, ((fate, name, _), _) in enumerate(inputs) if (fate, name) == ("dropped", kind)]
        if dropped:
            out.dropped[kind] = np.array(dropped, np.int64)
    out.rejects = [
        Reject(n, "process", "error", "", name) for n, ((fate, name, _), _) in enumerate(inputs) if fate == "rejected"
    ]
    return out


def held(inputs: list[tuple[Fate, date]], window: Window | None, left_out: frozenset[str] = frozenset()) -> InWindow:
    nothing = RawBatch([], "archive", np.empty(0, np.int64))
    part = Slice(nothing, [(day.isoformat(), 1) for _, day in inputs])
    return restrict(outcomes_of(inputs), part, Scope(window, frozenset("ab"), left_out))


def total(parts: list[InWindow]) -> Counts:
    summed = Counts()
    for part in parts:
        for counts in part.counts.values():
            assert counts.balanced(), counts
            summed.add(counts)
    return summed


def rows(part: InWindow) -> list[tuple[int, date]]:
    return sorted(
        (row["n"], row["event_time"].date()) for each in part.emitted.values() for row in each.made.to_pylist()
    )


@given(batches, some_days, some_days)
@settings(deadline=None)
def test_every_input_is_counted_once_and_only_rows_inside_are_kept(
    inputs: list[tuple[Fate, date]], one: date, other: date
) -> None:
    window = Window(min(one, other), max(one, other))
    part = held(inputs, window)
    counts = total([part])
    assert counts.read == len(inputs)
    assert counts.emitted_rows == len(rows(part))
    assert counts.emitted_inputs == len({n for n, _ in rows(part)})
    assert counts.rejected == len(part.rejects)
    assert all(window.start <= day < window.end for _, day in rows(part))
    assert all(window.holds(inputs[reject.index][1].isoformat()) for reject in part.rejects)


@given(batches, some_days)
@settings(deadline=None)
def test_two_adjacent_windows_share_out_all_there_is(inputs: list[tuple[Fate, date]], cut: date) -> None:
    whole = held(inputs, None)
    parts = [held(inputs, Window(date(2026, 1, 1), cut)), held(inputs, Window(cut, date(2027, 1, 1)))]
    assert sorted(row for part in parts for row in rows(part)) == rows(whole)
    assert sorted(reject.index for part in parts for reject in part.rejects) == [r.index for r in whole.rejects]
    counts, expected = total(parts), total([whole])
    assert (counts.emitted_rows, counts.dropped, counts.rejected) == (
        expected.emitted_rows,
        expected.dropped,
        expected.rejected,
    )
    assert total([whole]).out_of_window == 0


@given(batches)
@settings(deadline=None)
def test_a_window_around_everything_changes_nothing(inputs: list[tuple[Fate, date]]) -> None:
    whole, around = held(inputs, None), held(inputs, Window(date(2026, 1, 1), date(2027, 1, 1)))
    assert rows(around) == rows(whole)
    assert dict(around.counts) == dict(whole.counts)


@given(batches, st.frozensets(some_days))
@settings(deadline=None)
def test_rows_of_days_that_are_left_out_are_not_written(inputs: list[tuple[Fate, date]], left: frozenset[date]) -> None:
    whole, part = held(inputs, None), held(inputs, None, frozenset(day.isoformat() for day in left))
    assert rows(part) == [row for row in rows(whole) if row[1] not in left]
    assert part.rejects == whole.rejects
    assert total([part]).read == len(inputs)


@given(batches)
@settings(deadline=None)
def test_a_type_is_held_by_the_source_days_of_its_inputs_whatever_became_of_them(
    inputs: list[tuple[Fate, date]],
) -> None:
    expected: dict[str, set[str]] = {}
    for (_, name, _), day in inputs:
        expected.setdefault(name, set()).add(day.isoformat())
    around = Window(date(2026, 3, 2), date(2026, 3, 4))
    assert held(inputs, None).held == held(inputs, around).held == expected
