"""SIGKILL at each step of a replay: every parked input is in one place before it, after it, and once it is over."""

from pathlib import Path

import pytest

from tests.support.own_executors import own_executors
from tests.support.parked_stream import ParkedStream, sale, sales

__all__ = ["own_executors"]
pytestmark = pytest.mark.faults

BEFORE = {1: "process", 2: "parked", 3: "parked", 4: "parked", 5: "parked"}
AFTER = {1: "process", 4: "process"}


@pytest.fixture
def stream(tmp_path: Path) -> ParkedStream:
    """Refunds parked at offsets 2 to 5, values 1, 2, -1 and 0, mended since."""
    made = ParkedStream(tmp_path)
    made.start(refund="they are broken")
    made.poll(*sales("order", [1, -1]), *sales("refund", [1, 2, -1, 0]))
    made.release("refund")
    return made


@pytest.mark.parametrize(
    ("point", "done"),
    [
        ("generation.between_tables", False),
        ("files.after_row_group", False),
        ("replay.published", False),
        ("replay.before_commit", False),
        ("replay.after_commit", True),
        ("settle.before_commit", True),
        ("settle.after_commit", True),
    ],
)
def test_a_replay_killed_at_a_step(stream: ParkedStream, point: str, done: bool) -> None:
    assert stream.replay(TRIVIUM_FAULT_POINT=point).returncode < 0
    assert stream.letters() == (AFTER if done else BEFORE)
    assert stream.rows() == ({2: 1, 3: 2} if done else {})
    stream.audit(dropped=int(done))
    again = stream.replay()
    assert again.returncode == 0, again.stderr
    assert (stream.letters(), stream.rows()) == (AFTER, {2: 1, 3: 2})
    stream.audit(dropped=1)


@pytest.mark.parametrize("point", ["replay.before_commit", "replay.after_commit", "settle.before_commit"])
def test_a_stream_that_starts_after_it(stream: ParkedStream, point: str) -> None:
    """The start makes up for the end of a replay, and the stream goes on as if it had not been killed."""
    assert stream.replay(TRIVIUM_FAULT_POINT=point).returncode < 0
    stream.start()
    stream.poll(sale("refund", 9, 9))
    stream.audit(dropped=int(point != "replay.before_commit"))
    assert stream.replay().returncode == 0
    assert (stream.letters(), stream.rows()) == (AFTER, {2: 1, 3: 2, 6: 9})
    stream.audit(dropped=1)


@pytest.mark.parametrize("delay", [0.002, 0.01])
def test_a_replay_killed_in_the_middle_of_a_commit(stream: ParkedStream, delay: float) -> None:
    stream.replay(TRIVIUM_FAULT_POINT=f"replay.before_commit:soon={delay}")
    assert stream.replay().returncode == 0
    assert (stream.letters(), stream.rows()) == (AFTER, {2: 1, 3: 2})
    stream.audit(dropped=1)
