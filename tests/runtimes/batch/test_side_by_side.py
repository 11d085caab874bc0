"""Batch runs of one table side by side: what they leave is what they leave one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.lake import Archive, Call, Input, Lake, moment
from tests.support.lake_oracle import Oracle
from tests.support.lake_runs import LakeRuns, Turn
from tests.support.own_executors import own_executors
from tests.support.platform_year import Platform
from tests.support.stream_actors import Killed
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced
from trivium.runtimes.batch import run as batch_run
from trivium.runtimes.batch.prepare import Prepared

__all__ = ["own_executors"]

DAYS = 3
A, B, BOTH = frozenset("a"), frozenset("b"), frozenset("ab")


@st.composite
def archives(draw: Any) -> dict[int, list[Input]]:
    """Inputs of every day, some of them late, some dated after their day, which only a run over all finds."""
    made = {}
    for number in range(DAYS):
        one = st.builds(
            Input,
            st.sampled_from("ab"),
            st.sampled_from("xyz"),
            st.sampled_from([number, number, number - 1, number + 1]),
            st.sampled_from(["row", "row", "drop", "reject"]),
        )
        made[number] = draw(st.lists(one, min_size=1, max_size=4))
    return made


CALLS = st.builds(
    Call,
    window=st.sampled_from([None, (0, 1), (1, 2), (2, 3), (0, 2)]),
    types=st.sampled_from([A, B, BOTH]),
    apart=st.sampled_from([True, True, False]),
)
TURNS = st.tuples(
    st.integers(0, 2), st.integers(1, 12), st.sampled_from(["go", "go", "go", "go", "go", "lost", "blind", "kill"])
)


def overlap(one: Call, other: Call) -> bool:
    days = None in (one.window, other.window) or set(range(*one.window)) & set(range(*other.window))
    return bool(days) and bool(one.types & other.types)


def written(archive: Archive) -> dict[int, Any]:
    return {number: moment(number + 1, 0.1) for number in archive}


class Beside:
    """A lake with some history, runs over it that take turns, and what must have come of them."""

    def __init__(self, folder: Path, archive: Archive, patch: pytest.MonkeyPatch) -> None:
        self.archive, self.oracle = archive, Oracle(1)
        self.lake = Lake(folder, 1, patch)
        self.alone(Call(apart=False))
        self.runs = LakeRuns(self.lake, archive, written(archive), patch)

    def alone(self, call: Call) -> None:
        assert self.lake.run(self.archive, written(self.archive), call) is None
        assert self.oracle.run(self.archive, written(self.archive), call) is None

    def go(self, calls: Sequence[Call], turns: Sequence[Turn]) -> None:
        for call in calls:
            self.runs.start(call)
        self.runs.take(turns)
        self.runs.finish()
        for number in self.runs.landed:
            assert self.oracle.run(self.archive, written(self.archive), self.runs.calls[number]) is None
        self.compare()
        self.alone(Call())
        self.compare()

    def compare(self) -> None:
        assert self.lake.batch_rows() == self.oracle.batch_rows()
        assert self.lake.reading() == self.oracle.reading()
        assert self.lake.letters() == self.oracle.counting()

    def ends(self) -> list[str]:
        """How each run ended; one that did not land was killed, refused, or fenced by one that overlaps it."""
        found = []
        for number, actor in enumerate(self.runs.actors):
            if number in self.runs.refused:
                assert number not in self.runs.landed
                found.append("refused")
            elif isinstance(actor.error, Killed):
                found.append("killed")
            elif isinstance(actor.error, Fenced):
                others = [call for other, call in enumerate(self.runs.calls) if other != number]
                assert any(overlap(self.runs.calls[number], other) for other in others)
                assert number not in self.runs.landed
                found.append("fenced")
            else:
                assert actor.error is None, actor.error
                assert self.runs.landed.count(number) == 1
                found.append("landed")
        return found


@given(
    archive=archives(),
    calls=st.lists(CALLS, min_size=2, max_size=3),
    turns=st.lists(TURNS, max_size=30),
)
@settings(
    max_examples=40,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_runs_that_take_turns_leave_what_those_that_landed_leave_in_that_order(
    tmp_path_factory: pytest.TempPathFactory, archive: Archive, calls: list[Call], turns: list[Turn]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        beside = Beside(tmp_path_factory.mktemp("lake"), archive, patch)
        beside.go(calls, turns)
        beside.ends()


PLAIN = {
    0: [Input("a", "x", 0), Input("b", "y", 0, "reject"), Input("a", "z", 0, "reject")],
    1: [Input("a", "u", 1), Input("b", "v", 1), Input("b", "w", 0)],
    2: [Input("b", "x", 2), Input("a", "y", 2, "drop")],
}
DISJOINT = [
    [Call((0, 1)), Call((1, 2))],
    [Call(types=A), Call(types=B)],
    [Call((0, 2), A), Call((0, 1), B), Call((2, 3))],
]


@pytest.mark.parametrize("calls", DISJOINT)
@pytest.mark.parametrize("pauses", range(0, 30, 3))
def test_runs_that_share_nothing_all_land(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[Call], pauses: int
) -> None:
    """Whatever step the first run is at when the others come and go."""
    beside = Beside(tmp_path, PLAIN, monkeypatch)
    beside.go(calls, [(0, pauses, "go"), *((number, 200, "go") for number in range(1, len(calls)))])
    assert beside.ends() == ["landed"] * len(calls)


@pytest.mark.parametrize("pauses", range(0, 40, 2))
def test_a_run_works_out_anew_what_an_older_one_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: int
) -> None:
    """Whatever step the second run is at when the first, whose number is smaller, commits."""
    beside = Beside(tmp_path, PLAIN, monkeypatch)
    beside.go([Call(types=A), Call(types=B)], [(0, 12, "go"), (1, pauses, "go"), (0, 200, "go")])
    assert beside.ends() == ["landed"] * 2


@pytest.mark.parametrize("pauses", range(0, 30, 3))
def test_of_runs_that_overlap_the_older_stops_once_the_newer_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: int
) -> None:
    beside = Beside(tmp_path, PLAIN, monkeypatch)
    beside.go([Call((0, 2)), Call((1, 3), A), Call((2, 3), B)], [(0, pauses, "go"), (1, 200, "go"), (2, 200, "go")])
    ends = beside.ends()
    assert ends[1:] == ["landed", "landed"]
    assert ends[0] == ("fenced" if 0 not in beside.runs.landed else "landed")


def shop_of(root: Path) -> Platform:
    """Two types over three days, made once; then both executors changed."""
    made = Platform(root, ["order", "refund"])
    for factor in (1, 10):
        for name in ("order", "refund"):
            made.release(name, factor=factor)
        if factor == 1:
            made.list_types("order", "refund")
            made.run()
    return made


@contextmanager
def during_commit_of(name: str, run: Callable[[], object]) -> Iterator[None]:
    """Have `run` come and go once the units of a run of some type are done, before its commit."""
    commit = batch_run.commit_results

    def meanwhile(prepared: Prepared, *rest: Any) -> Any:
        if name in prepared.job.scope.types:
            with patch.object(batch_run, "commit_results", commit):
                run()
        return commit(prepared, *rest)

    with patch.object(batch_run, "commit_results", meanwhile):
        yield


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((["order"], None), (["refund"], None)),
        ((["order"], (0, 2)), (["order"], (2, 3))),
        (([], (0, 1)), ([], (1, 3))),
        ((["order"], None), (["refund"], (1, 2))),
    ],
)
def test_two_real_runs_leave_what_they_leave_one_after_the_other(
    tmp_path: Path, own_executors: None, first: Any, second: Any
) -> None:
    both, alone = shop_of(tmp_path / "both"), shop_of(tmp_path / "alone")
    with during_commit_of("order", lambda: both.run(*second[0], days=second[1])):
        both.run(*first[0], days=first[1])
    for types, days in (second, first):
        alone.run(*types, days=days)
    for name in ("order", "refund"):
        assert both.values(name) == alone.values(name)
    assert both.letters() == alone.letters() == {"order": 3, "refund": 3}
    kinds = [each["kind"] for each in Snapshot.latest(both.table).table.history() if "kind" in each]
    assert kinds.count("run") == 3
    assert list(Path(both.table, "_trivium", "runs").rglob("*.json")) == []


def test_the_older_of_two_real_runs_of_one_type_stops_and_says_so(tmp_path: Path, own_executors: None) -> None:
    shop = shop_of(tmp_path)
    with (
        pytest.raises(Fenced, match=r"platform/batch: this run has generation 2, the table has generation 3: a newer"),
        during_commit_of("order", lambda: shop.run("order", days=(1, 2))),
    ):
        shop.run("order")
    assert shop.values("order") == [1, 2, 10, 20, 1, 2]
    assert shop.letters() == {"order": 3, "refund": 3}
