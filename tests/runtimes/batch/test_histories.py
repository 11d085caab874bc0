"""Random histories of streaming and batch: what a reader sees equals what the merge policy says, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.lake import Archive, Call, Input, Lake, Streamed, moment
from tests.support.lake_oracle import Oracle
from tests.support.sample_table import day
from trivium.core.fault_points import InjectedFault
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.rewrite import EVENTS
from trivium.delivery.maintenance.compaction import compact, small_file_groups
from trivium.delivery.merge import query as merge

DAYS = 4
FATES = ["row", "row", "drop", "reject"]
KINDS = st.sampled_from("ab")
SLOW = settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TIMES = st.builds(moment, st.integers(-1, DAYS), st.sampled_from([0, 0.01, 12, 23.99]))
STREAMED = st.builds(Streamed, KINDS, st.sampled_from("xyz"), st.integers(-1, DAYS), TIMES)


def inputs_of(number: int, least: int = 0) -> st.SearchStrategy[list[Input]]:
    """Inputs of a source day: on time, late, much too late, dated after their day."""
    event_day = st.sampled_from([number, number, number - 1, number - 2, number + 1])
    return st.lists(
        st.builds(Input, KINDS, st.sampled_from("xyzuv"), event_day, st.sampled_from(FATES)),
        min_size=least,
        max_size=3,
    )


@st.composite
def archives(draw: Any) -> dict[int, list[Input]]:
    numbers = draw(st.sets(st.integers(0, DAYS - 1), min_size=1))
    return {number: draw(inputs_of(number)) for number in sorted(numbers)}


WINDOWS = st.one_of(st.none(), st.builds(lambda a, n: (a, a + n), st.integers(0, DAYS - 1), st.integers(1, 3)))
CALLS = st.builds(
    Call,
    window=WINDOWS,
    types=st.sampled_from([frozenset("ab"), frozenset("ab"), frozenset("a"), frozenset("b")]),
    missing=st.sampled_from(["refuse", "leave"]),
    complete=st.one_of(st.none(), st.none(), TIMES),
    apart=st.sampled_from([True, True, False]),
)
STEPS = st.lists(
    st.one_of(
        CALLS,
        CALLS,
        st.tuples(st.just("crash"), CALLS),
        st.tuples(st.just("stream"), st.lists(STREAMED, min_size=1, max_size=3)),
        st.tuples(st.just("archive"), st.integers(0, DAYS - 1), st.one_of(st.none(), inputs_of(0))),
        st.just(("compact",)),
    ),
    min_size=2,
    max_size=7,
)


def nightly(archive: Archive) -> dict[int, datetime]:
    """Each source day's file is written five minutes after the day's end, the last one's within its day."""
    times = {number: moment(number + 1, 0.08) for number in archive}
    return times | {number: moment(number, 18) for number in list(archive)[-1:]}


class History:
    """A lake and its oracle, taken through the same steps."""

    def __init__(self, folder: Path, late_days: int, patch: Any) -> None:
        self.lake, self.oracle, self.patch = Lake(folder, late_days, patch), Oracle(late_days), patch
        self.archive: dict[int, Sequence[Input]] = {}
        self.versions: dict[int, set] = {}

    def take(self, step: Any) -> None:
        if isinstance(step, Call):
            self.run(step)
        elif step[0] == "crash":
            self.crash(step[1])
        elif step[0] == "stream":
            self.oracle.streamed += step[1]
            self.lake.stream(step[1])
        elif step[0] == "archive":
            self.archive = {number: inputs for number, inputs in self.archive.items() if number != step[1]}
            if step[2] is not None:
                moved = [Input(each.kind, each.name, each.event_day + step[1], each.fate) for each in step[2]]
                self.archive |= {step[1]: moved}
        else:
            groups = small_file_groups(Snapshot.latest(self.lake.uri), EVENTS, lambda _: True)
            compact(self.lake.uri, EVENTS, groups, self.lake.clock)
        self.compare()

    def run(self, call: Call) -> None:
        before = self.lake.reading()
        written = nightly(self.archive)
        refused = self.lake.run(self.archive, written, call)
        expected = self.oracle.run(self.archive, written, call)
        assert (refused is None) == (expected is None), (refused, expected)
        if refused is not None:
            assert all(day(number).isoformat() in refused for number in expected or ()), (refused, expected)
            assert self.lake.reading() == before
        others = [{row for row in each if row[0] not in call.types} for each in (before, self.lake.reading())]
        assert others[0] == others[1]

    def crash(self, call: Call) -> None:
        """A run that dies between its coverage and its commit leaves the reading as it was."""
        with pytest.MonkeyPatch.context() as armed:
            armed.setenv("TRIVIUM_FAULT_POINT", "coverage.published:raise")
            with contextlib.suppress(InjectedFault):
                assert self.lake.run(self.archive, nightly(self.archive), call) is not None

    def compare(self) -> None:
        assert self.lake.batch_rows() == self.oracle.batch_rows()
        assert self.lake.reading() == self.oracle.reading()
        assert self.lake.letters() == self.oracle.counting()
        self.versions[self.lake.version] = self.lake.reading()

    def look_back(self) -> None:
        """Every version reads as it did when it was the newest."""
        for version, reading in self.versions.items():
            rows = merge.read(self.lake.uri, version).select(["_event_type", "event_id", "_runtime"]).to_pylist()
            assert {(row["_event_type"], row["event_id"], row["_runtime"]) for row in rows} == reading


@given(archive=archives(), rows=st.lists(STREAMED, max_size=5), late_days=st.integers(0, 2), steps=STEPS)
@SLOW
def test_a_reader_sees_what_the_policy_says(
    tmp_path_factory: pytest.TempPathFactory, archive: Archive, rows: list[Streamed], late_days: int, steps: list[Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        history = History(tmp_path_factory.mktemp("lake"), late_days, patch)
        history.archive = dict(archive)
        history.take(("stream", rows))
        for step in steps:
            history.take(step)
        history.look_back()


@st.composite
def consistent(draw: Any) -> tuple[dict[int, list[Input]], list[Streamed], int]:
    """An archive without gaps or empty days, what was streamed, and `late_days`.

    An input that no window can find, since it is dated before the archive's first day, after its source day or too
    late, was streamed as well: then it does not depend on batch whether it can be read.
    """
    days, late_days = draw(st.integers(1, DAYS)), draw(st.integers(0, 2))
    archive, streamed = {}, draw(st.lists(STREAMED, max_size=4))
    for number in range(days):
        drawn = enumerate(draw(inputs_of(number, least=1)))
        archive[number] = [replace(each, name=f"{number}-{place}") for place, each in drawn]
        for each in archive[number]:
            found = max(0, number - late_days) <= each.event_day <= number
            if not found or draw(st.booleans()):
                ingested = moment(number, draw(st.sampled_from([0, 6, 20])))
                streamed.append(Streamed(each.kind, each.name, each.event_day, ingested))
    return archive, streamed, late_days


@given(made=consistent(), order=st.randoms(use_true_random=False))
@SLOW
def test_a_whole_run_single_windows_and_reruns_leave_the_same(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Archive, list[Streamed], int], order: Any
) -> None:
    archive, streamed, late_days = made
    written = nightly(archive)
    windows = [Call((number, number + 1)) for number in archive]
    order.shuffle(windows)
    ways = [[Call()], windows, [Call(), Call()], [*windows, *windows], [Call(), *windows], [*windows, Call()]]
    left = []
    for calls in ways:
        with pytest.MonkeyPatch.context() as patch:
            lake = Lake(tmp_path_factory.mktemp("lake"), late_days, patch)
            lake.stream(streamed)
            refused = [lake.run(archive, written, call) for call in calls]
            left.append({(kind, name) for kind, name, _ in lake.reading()})
            assert all(why is None or "nothing" in why or "would lose those rows" in why for why in refused)
    assert left.count(left[0]) == len(left), left
