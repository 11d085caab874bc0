"""Systemic rejects, and the memory of a tripped breaker."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from trivium.config.model.streaming import Breaker
from trivium.core.errors import RunError
from trivium.delivery.commit.breaker_record import check_restart, record_trip
from trivium.engine.batch import RawBatch
from trivium.engine.breaker import (
    BreakerState,
    Place,
    RejectGroup,
    RejectSummary,
    Signature,
    SystemicRejects,
    judged_inputs,
    merge_rejects,
    summarise,
)
from trivium.engine.outcomes import Counts, Outcomes, Reject

INVALID = Signature("arrival", "decode", "invalid")
TIMES = Signature("arrival", "validate", "invalid")
UNDECODED = Signature("_undecoded", "decode", "malformed")


def rejects(count: int, signature: Signature = INVALID, at: int = 0, source: str = "flights/0") -> RejectSummary:
    if not count:
        return ()
    return (RejectGroup(signature, count, Place(source, at), Place(source, at + count - 1), "no time"),)


def tripped(setting: Any, stretches: Sequence[tuple[int | dict[str, int], RejectSummary]]) -> int | None:
    """Which stretch trips the breaker, if one does; a bare number is inputs of the type `arrival`."""
    state = BreakerState(setting)
    for index, (inputs, summary) in enumerate(stretches):
        try:
            state.observe({"arrival": inputs} if isinstance(inputs, int) else inputs, summary)
        except SystemicRejects:
            return index
    return None


def test_a_batch_without_rejects_has_nothing_to_report() -> None:
    batch = RawBatch([b"{}"] * 3, "flights/0", np.arange(3, dtype=np.int64))
    assert summarise(Outcomes(3), batch) == ()


def test_rejects_are_summed_up_by_signature_with_first_and_last_place() -> None:
    sources = pa.array(["flights/0", "flights/1"]).dictionary_encode().take(pa.array([0, 0, 1, 1, 1]))
    batch = RawBatch([b"{}"] * 5, sources, np.array([7, 9, 100, 101, 105], np.int64))
    found = [
        Reject(4, "decode", "invalid", "last", "arrival"),
        Reject(1, "decode", "invalid", "x" * 1000, "arrival"),
        Reject(2, "decode", "malformed", "cut off"),
        Reject(3, "process", "ValueError", "boom", "arrival", 2),
    ]
    assert summarise(Outcomes(5, rejects=found), batch) == (
        RejectGroup(INVALID, 2, Place("flights/0", 9), Place("flights/1", 105), "x" * 300),
        RejectGroup(
            Signature("_undecoded", "decode", "malformed"),
            *(1, Place("flights/1", 100), Place("flights/1", 100), "cut off"),
        ),
        RejectGroup(
            Signature("arrival", "process", "ValueError"),
            *(1, Place("flights/1", 101), Place("flights/1", 101), "boom"),
        ),
    )


def test_summaries_merge_in_order_and_travel_as_json() -> None:
    merged = merge_rejects([rejects(3, at=5), rejects(2, at=90), rejects(1, TIMES, at=7)])
    assert merged[0] == RejectGroup(INVALID, 5, Place("flights/0", 5), Place("flights/0", 91), "no time")
    assert msgspec.json.decode(msgspec.json.encode(merged), type=RejectSummary) == merged


@pytest.mark.parametrize(
    ("rejected", "trips"),
    [
        ([49, 50, 50], 2),
        ([49, 50, 49, 50], None),
        ([50, 50], 1),
        ([0, 0, 100], 2),
        ([99], None),
        ([20, 20, 20, 80], 3),
        ([20, 20, 20, 79], None),
    ],
)
def test_it_trips_when_the_window_is_full_and_the_share_is_reached(rejected: list[int], trips: int | None) -> None:
    """Stretches of 100 inputs, a window of 200, half of them."""
    stretches = [(100, rejects(count)) for count in rejected]
    assert tripped(Breaker(ratio=0.5, window_events=200), stretches) == trips


def test_fewer_inputs_than_the_window_never_trip() -> None:
    assert tripped(Breaker(ratio=0.5, window_events=200), [(199, rejects(199))]) is None


def test_one_large_stretch_is_a_window_of_its_own() -> None:
    setting = Breaker(ratio=0.5, window_events=100)
    assert tripped(setting, [(1_000, rejects(499))]) is None
    assert tripped(setting, [(100_000, rejects(0)), (1_000, rejects(500))]) == 1


def test_old_stretches_leave_the_window() -> None:
    """Ninety rejects long ago do not add to ten now."""
    old, quiet = [(100, rejects(90))], [(100, rejects(0))] * 2
    assert tripped(Breaker(ratio=0.5, window_events=200), [*quiet, *old, *quiet, (100, rejects(10))]) is None


def test_a_window_keeps_whole_stretches_until_the_rest_is_enough() -> None:
    setting = Breaker(ratio=0.5, window_events=100)
    assert tripped(setting, [(60, rejects(60)), (60, rejects(0))]) == 1
    assert tripped(setting, [(60, rejects(60)), (100, rejects(0))]) is None


def test_different_reasons_do_not_add_up() -> None:
    both = merge_rejects([rejects(40), rejects(40, TIMES)])
    assert tripped(Breaker(ratio=0.5, window_events=100), [(100, both)]) is None


def test_nothing_trips_it_when_it_is_off() -> None:
    assert tripped("off", [(10**6, rejects(10**6))]) is None


def test_stretches_without_inputs_change_nothing() -> None:
    assert tripped(Breaker(ratio=0.5, window_events=1), [(0, rejects(0))] * 3) is None


def test_dropped_unrouted_and_tombstones_do_not_dilute() -> None:
    counts = {
        "arrival": Counts(read=10, emitted_inputs=4, rejected=3, dropped=2, out_of_window=1),
        "_undecoded": Counts(read=5, rejected=5),
        "_unrouted": Counts(read=1000, dropped=1000),
        "_tombstone": Counts(read=7, rejected=7),
    }
    assert judged_inputs(counts) == {"arrival": 9, "_undecoded": 9 + 5 + 7}


def fifty(broken: int) -> tuple[dict[str, int], RejectSummary]:
    """A stretch of 50 types with 100 inputs each, of which the first rejects so many."""
    inputs = {f"type{number:02}": 100 for number in range(50)}
    return {**inputs, "_undecoded": 5_000}, rejects(broken, Signature("type00", "process", "ValueError"))


@pytest.mark.parametrize(("broken", "trips"), [(100, 9), (50, 9), (49, None)])
def test_one_broken_type_of_fifty_trips_once_enough_of_its_own_inputs_are_there(broken: int, trips: int | None) -> None:
    """A hundred inputs a stretch: 1,000, from which a type is judged, are there with the tenth."""
    assert tripped(Breaker(), [fifty(broken)] * 30) == trips


def test_the_message_names_the_broken_type_and_counts_its_own_inputs() -> None:
    state = BreakerState(Breaker(least=100))
    with pytest.raises(SystemicRejects, match=r"100 of the last 100 inputs \(100%\) of one event type .* type type00,"):
        state.observe(*fifty(100))


def test_each_type_forgets_by_its_own_window() -> None:
    """A loud type between does not push a quiet one's rejects out of its window."""
    quiet, loud = ({"arrival": 50}, rejects(50)), ({"departure": 100_000}, ())
    assert tripped(Breaker(ratio=0.5, window_events=100), [quiet, *[loud] * 20, ({"arrival": 50}, ())]) == 21


def test_records_without_a_type_are_judged_among_all_inputs() -> None:
    """All of them are rejects, however few they are: their share of all inputs says whether they are systemic."""
    setting = Breaker(ratio=0.5, window_events=200)
    few = ({"arrival": 95, "_undecoded": 100}, rejects(5, UNDECODED))
    assert tripped(setting, [few] * 100) is None
    assert tripped(setting, [few, few, ({"_undecoded": 100}, rejects(100, UNDECODED))]) == 2


def test_a_rare_type_is_kept_in_few_stretches_and_still_trips() -> None:
    """With one input a commit the window is 1,000 commits long; it takes the room of one with ten a commit."""
    setting = Breaker(ratio=0.5, window_events=1_000, least=1_000)
    assert tripped(setting, [(1, rejects(1, at=number)) for number in range(2_000)]) == 999
    sizes = []
    for inputs in (1, 10):
        state = BreakerState(setting)
        for number in range(0, 20_000, inputs):
            state.observe({"arrival": inputs}, rejects(number % 10 == 0, at=number))
        sizes.append(len(pickle.dumps(state)))
    assert sizes[0] < 1.5 * sizes[1]


def test_the_message_says_all_one_needs() -> None:
    state = BreakerState(Breaker(ratio=0.25, window_events=150))
    state.observe({"arrival": 100}, rejects(20, at=1000))
    with pytest.raises(SystemicRejects) as caught:
        state.observe({"arrival": 100}, rejects(40, at=2000, source="flights/1"))
    text = str(caught.value)
    for part in (
        "60 of the last 200 inputs (30%)",
        "event type arrival, stage decode, reason invalid",
        "First: flights/0 at 1000; last: flights/1 at 2039",
        "A sample: no time",
        "breaker.ratio (0.25)",
        "breaker.window_events (150)",
        "breaker.least (1000)",
        "breaker: off",
    ):
        assert part in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


TRIP = SystemicRejects("60 of the last 200 inputs")


def test_a_start_without_a_trip_is_fine(tmp_path: Path) -> None:
    check_restart(str(tmp_path / "table"), "streaming", Breaker(), "logic")


def test_an_unchanged_restart_is_refused_with_the_reason_every_time(tmp_path: Path) -> None:
    uri = str(tmp_path)
    record_trip(uri, "streaming", Breaker(ratio=0.2), "logic", TRIP)
    for _ in range(2):
        with pytest.raises(RunError, match="60 of the last 200 inputs"):
            check_restart(uri, "streaming", Breaker(ratio=0.2), "logic")
    check_restart(uri, "batch", Breaker(ratio=0.2), "logic")


@pytest.mark.parametrize(
    ("setting", "logic"),
    [
        (Breaker(ratio=0.3), "logic"),
        (Breaker(ratio=0.2, window_events=9), "logic"),
        (Breaker(ratio=0.2, least=9), "logic"),
        ("off", "logic"),
        (Breaker(ratio=0.2), "other"),
    ],
)
def test_a_change_lets_it_start_and_is_not_asked_for_again(tmp_path: Path, setting: Any, logic: str) -> None:
    uri = str(tmp_path)
    record_trip(uri, "streaming", Breaker(ratio=0.2), "logic", TRIP)
    check_restart(uri, "streaming", setting, logic)
    check_restart(uri, "streaming", Breaker(ratio=0.2), "logic")


def test_a_file_that_is_no_record_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record_trip(str(tmp_path), "streaming", Breaker(), "logic", TRIP)
    (tmp_path / "_trivium/breaker/streaming.json").write_text("{")
    check_restart(str(tmp_path), "streaming", Breaker(), "logic")
    assert "is no record of a breaker" in caplog.text
