"""Parked inputs are processed once their executor is mended: rows as the stream would have made them, each once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.own_executors import own_executors
from tests.support.parked_stream import ParkedStream, sale, sales
from tests.support.terminal import Trivium
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.commit.parked_types import parked_types
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced
from trivium.delivery.maintenance.upkeep import keep_up, upkeeps
from trivium.engine.breaker import SystemicRejects
from trivium.operations.replay import run
from trivium.operations.replay.run import replay_parked
from trivium.operations.status import table_status

__all__ = ["own_executors"]


@pytest.fixture
def stream(tmp_path: Path) -> ParkedStream:
    """Orders committed, refunds parked: at offsets 2 to 6 values 1, 2, -1, 0 and one that does not decode."""
    made = ParkedStream(tmp_path)
    made.start(refund="they are broken")
    made.poll(*sales("order", [1, -1]), *sales("refund", [1, 2, -1, 0]), {"event_type": "refund", "value": "x"})
    made.poll(sale("order", 9, 9))
    return made


def test_a_parked_type_is_kept_whole_and_all_others_go_on(stream: ParkedStream) -> None:
    assert stream.rows("order") == {0: 1, 7: 9}
    assert stream.rows("refund") == {}
    assert stream.letters() == {1: "process", 2: "parked", 3: "parked", 4: "parked", 5: "parked", 6: "parked"}
    stream.audit(dropped=0)
    letter = stream.read_letters().filter(stream.read_letters()["position"].to_numpy() == 3).to_pylist()[0]
    assert json.loads(letter["value"]) == sales("refund", [1, 2])[1]
    assert (letter["event_type"], letter["reason"], letter["attempts"]) == ("refund", "parked", 0)
    assert letter["error"] == "they are broken"
    found = table_status(stream.compile())
    (parked,) = found.parked
    assert (found.dead_letters, parked.event_type, parked.runtime, parked.inputs) == (1, "refund", "streaming", 5)
    assert parked.message == "they are broken"
    (streaming,) = found.runtimes
    assert (streaming.counts["refund"].read, streaming.counts["refund"].parked) == (5, 5)
    assert streaming.counts["refund"].balanced()


def test_a_letter_of_a_stream_has_the_line_of_its_executor(stream: ParkedStream) -> None:
    trivium = Trivium()
    letter = json.loads(trivium("dead-letters", "show", str(stream.config), "sales/0:1", "--format", "json").stdout)
    assert (letter["code_file"], letter["code_line"]) == ("executors/order/executor.py", 20)
    assert letter["code_text"] == 'raise ValueError("values are not negative")'
    assert letter["code_trace"] == (
        'executors/order/executor.py:20 in MakesOrder.process: raise ValueError("values are not negative")'
    )
    shown = trivium("dead-letters", "show", str(stream.config), "sales/0:1").stdout
    assert "code_file     executors/order/executor.py" in shown
    parked = json.loads(trivium("dead-letters", "show", str(stream.config), "sales/0:3", "--format", "json").stdout)
    assert (parked["code_file"], parked["code_line"], parked["code_trace"]) == (None, None, None)


def test_what_is_parked_is_counted_apart(stream: ParkedStream) -> None:
    trivium = Trivium()
    listed = trivium("dead-letters", "list", str(stream.config)).stdout
    assert "1 dead letter, 5 parked inputs" in listed
    said = " ".join(trivium("status", str(stream.config)).stdout.split())
    assert "5 inputs of refund, held back since" in said
    assert "trivium dead-letters replay CONFIG --parked refund" in said


def test_the_mended_executor_processes_them(stream: ParkedStream) -> None:
    read_at = {each["position"]: each["rejected_at"] for each in stream.read_letters().to_pylist()}
    stream.release("refund")
    done = stream.replay()
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["letters"]
    assert {name: report["counts"][name] for name in ("read", "emitted_inputs", "dropped", "rejected")} == {
        "read": 5,
        "emitted_inputs": 2,
        "dropped": 1,
        "rejected": 2,
    }
    assert stream.rows() == {2: 1, 3: 2}
    assert stream.letters() == {1: "process", 4: "process", 6: "decode"}
    stream.audit(dropped=1)
    rows = Snapshot.latest(stream.table).table.to_pyarrow_table().to_pylist()
    (row,) = [row for row in rows if row["_position"] == 3]
    assert (row["_runtime"], row["_source"], row["_row"]) == ("streaming", "sales/0", 0)
    assert row["_executor"] == stream.compile().executors["refund"].version
    assert row["_ingested_at"] == read_at[3]
    assert parked_types(stream.table, "streaming") == {}
    assert json.loads(stream.replay().stdout) == {"event_type": "refund", "letters": None, "days": []}


def test_a_running_stream_goes_on_beside_it(stream: ParkedStream) -> None:
    stream.release("refund")
    replay_parked(stream.compile(), "refund", SystemClock())
    stream.poll(sale("refund", 20, 7), sale("order", 20, 8))
    assert stream.rows("order")[9] == 8
    assert stream.letters()[8] == "parked"
    stream.start()
    stream.poll(sale("refund", 21, 11))
    assert stream.rows() == {2: 1, 3: 2, 10: 11}
    assert replay_parked(stream.compile(), "refund", SystemClock()).counts.emitted_inputs == 1
    assert stream.rows() == {2: 1, 3: 2, 8: 7, 10: 11}
    stream.audit(dropped=1)


def test_many_letters_are_committed_in_parts(stream: ParkedStream) -> None:
    for _ in range(3):
        stream.poll(*sales("refund", [5, 6]))
    stream.release("refund")
    report = replay_parked(stream.compile(), "refund", SystemClock(), round_letters=3)
    assert report.commits > 1
    assert (report.counts.read, report.counts.emitted_inputs) == (11, 8)
    assert sorted(stream.rows()) == [2, 3, *range(8, 14)]
    stream.audit(dropped=1)


def test_an_executor_that_is_still_broken_leaves_them_parked(stream: ParkedStream) -> None:
    stream.poll(*sales("refund", range(1, 20)))
    before, version = stream.letters(), Snapshot.latest(stream.table).version
    with pytest.raises(SystemicRejects, match="event type refund"):
        replay_parked(stream.compile(), "refund", SystemClock())
    assert stream.letters() == before
    assert stream.rows() == {}
    assert Snapshot.latest(stream.table).version == version + 1  # the replay's generation
    assert set(parked_types(stream.table, "streaming")) == {"refund"}


def test_a_type_that_is_not_listed_is_named(stream: ParkedStream) -> None:
    with pytest.raises(RunError, match="got 'refnd'"):
        replay_parked(stream.compile(), "refnd", SystemClock())


@pytest.mark.parametrize("point", ["replay.after_commit", "settle.after_commit"])
def test_an_answer_that_never_comes(stream: ParkedStream, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    stream.release("refund")
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    assert replay_parked(stream.compile(), "refund", SystemClock()).counts.read == 5
    assert stream.rows() == {2: 1, 3: 2}
    stream.audit(dropped=1)


def test_of_two_replays_the_newer_wins(stream: ParkedStream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.release("refund")
    older = stream.compile()
    began = run.commit_replay

    def overtaken(*arguments: object) -> object:
        monkeypatch.setattr(run, "commit_replay", began)
        replay_parked(stream.compile(), "refund", SystemClock())
        return began(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "commit_replay", overtaken)
    with pytest.raises(Fenced):
        replay_parked(older, "refund", SystemClock())
    assert stream.rows() == {2: 1, 3: 2}
    stream.audit(dropped=1)


def test_maintenance_ends_a_replay_that_was_killed(stream: ParkedStream) -> None:
    stream.release("refund")
    assert stream.replay(TRIVIUM_FAULT_POINT="settle.before_commit").returncode < 0
    before = stream.letters()
    assert before == {1: "process", 4: "process", 6: "decode"}
    for upkeep in upkeeps(stream.table, stream.letters_table):
        keep_up(upkeep, SystemClock().now_us() + 1, SystemClock())
    held = Snapshot.latest(stream.letters_table).table.to_pyarrow_table()
    assert sorted(held["position"].to_pylist()) == [1, 4, 6]
    assert stream.letters() == before
