"""Errors read the same on the driver as in the worker that raised them."""

from __future__ import annotations

import pickle

import pytest

from trivium.contract import errors
from trivium.contract.retry import RetryPolicy
from trivium.core import errors as core_errors
from trivium.core.clock import Deadline, SystemClock
from trivium.testing import ManualClock

EXAMPLES: list[core_errors.TriviumError] = [
    core_errors.TriviumError("said"),
    core_errors.ContractError("is wrong", "Mine (file.py:3)", "write this"),
    core_errors.ContractError("is wrong"),
    errors.RejectError("no such airport"),
    errors.RowErrors({3: "odd", 4: ValueError("even")}),
    errors.TransientError("busy", retry_after=1.5),
    errors.LookupUnavailable("down", 2.0),
    core_errors.LookupAnswerError("two rows"),
    core_errors.SourceError("no file"),
    core_errors.DeliveryError("refused"),
    core_errors.RunError("cannot go on"),
    core_errors.LookupOutage("stayed away"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: core_errors.TriviumError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert repr(vars(again)) == repr(vars(error))


def test_every_error_of_the_tree_has_an_example() -> None:
    def tree(kind: type) -> set[type]:
        return {kind, *(each for child in kind.__subclasses__() for each in tree(child))}

    ours = {
        kind for kind in tree(core_errors.TriviumError) if kind.__module__ in (errors.__name__, core_errors.__name__)
    }
    assert ours == {type(error) for error in EXAMPLES}


def test_what_they_say() -> None:
    assert str(EXAMPLES[1]) == "Mine (file.py:3): is wrong. Try: write this"
    assert str(EXAMPLES[2]) == "is wrong"
    assert str(EXAMPLES[4]) == "2 rows rejected: row 3: odd; row 4: even"
    assert str(EXAMPLES[5]) == "busy"
    assert isinstance(EXAMPLES[6], errors.TransientError)


def test_delays() -> None:
    assert list(RetryPolicy(attempts=4, first_delay_seconds=0.5, factor=3.0).delays()) == [0.5, 1.5, 4.5]
    assert list(RetryPolicy(attempts=1).delays()) == []
    assert list(RetryPolicy(attempts=3, first_delay_seconds=0.0).delays()) == [0.0, 0.0]


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"attempts": 2.0}, {"factor": 0.5}, {"deadline_seconds": 0.0}, {"tries": 3}]
)
def test_a_policy_that_makes_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_a_deadline_is_a_moment() -> None:
    clock = ManualClock(seconds=100.0)
    deadline = Deadline.after(clock, 5.0)
    assert (deadline.remaining(), deadline.passed()) == (5.0, False)
    clock.sleep(4.0)
    assert (deadline.remaining(), deadline.passed()) == (1.0, False)
    clock.sleep(1.0)
    assert (deadline.remaining(), deadline.passed()) == (0.0, True)
    clock.sleep(9.0)
    assert deadline.remaining() == 0.0


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.now_us()
    clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now_us() >= wall > 1_600_000_000_000_000
