"""A stream's views: lag, progress line, logs."""

import io
import json
import logging

import pytest

from trivium.connectors.kafka.errors import KafkaUnavailableError
from trivium.core.errors import SourceError
from trivium.runtimes import logs
from trivium.runtimes.streaming.lag import Lag, events_behind, lags, seconds_behind
from trivium.runtimes.streaming.monitor import Complaints
from trivium.runtimes.streaming.progress import Progress, ProgressLine
from trivium.testing import ManualClock


def test_lag_is_what_waits_and_how_old_the_newest_committed_record_is() -> None:
    found = lags({"a/0": 5, "a/1": 8, "a/2": 1}, {"a/0": 9, "a/1": 8}, {"a/0": 1_000_000, "a/1": 1}, 4_000_000)
    assert found == {"a/0": Lag(4, 3.0), "a/1": Lag(0, 0.0)}
    assert events_behind(found, 3) is None
    assert events_behind(found, 2) == 4
    assert seconds_behind(found) == 3.0
    assert seconds_behind({"a/0": Lag(4, None)}) is None


def test_the_progress_line_shows_the_rate_of_the_last_seconds() -> None:
    clock, said = ManualClock(), io.StringIO()
    with ProgressLine(clock, said) as progress:
        progress.show(Progress(0, 0, 0, None, None))
        clock.sleep(10)
        progress.show(Progress(5_000, 4_000, 7, 1_234, 2.54))
    line = "500 events/s, lag 2.5 s and 1,234 events, 4,000 rows committed, dead letters 7\n"
    assert said.getvalue() == line


def test_until_the_first_record_the_line_says_how_many_workers_have_started() -> None:
    clock, said = ManualClock(), io.StringIO()
    with ProgressLine(clock, said) as progress:
        for state in (Progress(0, 0, 0, None, None, 2, 0), Progress(0, 0, 0, 7, None, 2, 1)):
            clock.sleep(10)
            progress.show(state)
        clock.sleep(10)
        progress.show(Progress(0, 0, 0, 7, None, 2, 2))
        clock.sleep(10)
        progress.show(Progress(7, 0, 0, None, None, 2, 1))
    assert said.getvalue().splitlines() == [
        "starting 2 workers, 0 ready after 10 s",
        "starting 2 workers, 1 ready after 20 s",
        "0 events/s, lag 7 events, 0 rows committed, dead letters 0",
        "1 events/s, lag not known yet, 0 rows committed, dead letters 0, 1 of 2 workers not ready",
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KafkaUnavailableError("CoordinatorLoadInProgressError"), [False, False, True]),
        (SourceError("the group has members"), [True, False, True]),
    ],
)
def test_a_broker_that_is_not_ready_is_told_when_it_stays_so(
    error: SourceError, told: list[bool], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("trivium"), "propagate", True)  # a command that ran before may have ended it
    clock, said = ManualClock(), []
    complaints = Complaints(clock)
    for _ in told:
        caplog.clear()
        complaints.failed("ends", error)
        said.append(bool(caplog.records))
        clock.advance(6)
    assert said == told
    complaints.passed("ends")
    clock.advance(60)
    caplog.clear()
    complaints.failed("ends", KafkaUnavailableError("again"))
    assert not caplog.records


def test_a_log_line_is_one_json_object_with_what_was_bound_and_what_it_is_about() -> None:
    logs.bind(pipeline="ticks", plan="abc", generation=3)
    record = logging.makeLogRecord(
        {"name": "trivium.x", "levelno": 30, "levelname": "WARNING", "msg": "at %d\nmore", "args": (7,)}
    )
    record.position, record._ray_stamp = {"t/0": 7}, 1  # noqa: SLF001 - what Ray does
    line = logs.JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    del found["at"]
    assert found == {
        "level": "warning",
        "logger": "trivium.x",
        "message": "at 7\nmore",
        "pipeline": "ticks",
        "plan": "abc",
        "generation": 3,
        "position": {"t/0": 7},
    }
