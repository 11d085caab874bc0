"""Files looked at again beside the path: old facts answer meanwhile, and whatever goes wrong."""

from __future__ import annotations

import gc
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.processes import until
from tests.support.shelf_lookup import halls, opened
from trivium.connectors.parquet.lookup import ParquetLookup
from trivium.contract.errors import LookupUnavailable
from trivium.core.clock import Deadline
from trivium.testing import ManualClock


def put(path: Path, hall: str, modified: int) -> None:
    pq.write_table(pa.table({"code": ["A"], "hall": [hall]}), path)
    os.utime(path, (modified, modified))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The looks that ended, opening included."""
    found, locate = [], ParquetLookup.locate

    def counted(self: ParquetLookup) -> Any:
        try:
            return locate(self)
        finally:
            found.append("look")

    monkeypatch.setattr(ParquetLookup, "locate", counted)
    return found


def hall(lookup: Any) -> Any:
    return halls(lookup, ["A"])[0]


def stale(lookup: Any, clock: ManualClock) -> bool:
    return bool(lookup.fetch(pa.array(["A"]), Deadline.after(clock, 1.0)).stale)


def test_a_replaced_file_is_seen_after_refresh_seconds_and_not_before(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.parquet", ManualClock()
    put(path, "old", 1_000)
    lookup = opened(path, clock=clock, refresh_seconds=60.0)
    put(path, "new", 2_000)
    clock.seconds = 59.9
    assert hall(lookup) == "old"
    clock.seconds = 60.0
    until(lambda: hall(lookup) == "new", "the new file answers", 10)
    assert lookup.snapshot() == opened(path).snapshot()


def test_a_file_beside_the_others_is_seen_too(tmp_path: Path) -> None:
    clock = ManualClock()
    put(tmp_path / "1.parquet", "one", 1_000)
    lookup = opened(tmp_path, clock=clock, refresh_seconds=60.0)
    pq.write_table(pa.table({"code": ["B"], "hall": ["two"]}), tmp_path / "2.parquet")
    clock.seconds = 61.0
    until(lambda: halls(lookup, ["A", "B"]) == ["one", "two"], "both files answer", 10)


def test_the_rows_are_one_object_until_the_files_change(tmp_path: Path, looks: list[str]) -> None:
    path, clock = tmp_path / "a.parquet", ManualClock()
    put(path, "old", 1_000)
    lookup, deadline = opened(path, clock=clock, refresh_seconds=60.0), Deadline.after(clock, 1.0)
    first = lookup.fetch(pa.array(["A"]), deadline).rows
    clock.seconds = 60.0
    until(lambda: hall(lookup) and len(looks) > 1, "the files were looked at", 10)
    assert lookup.fetch(pa.array(["A", "?"]), deadline).rows is first


def test_a_request_never_waits_for_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock, going, go_on = tmp_path / "a.parquet", ManualClock(), threading.Event(), threading.Event()
    put(path, "old", 1_000)
    lookup, locate = opened(path, clock=clock, refresh_seconds=60.0), ParquetLookup.locate

    def slow(self: ParquetLookup) -> Any:
        going.set()
        assert go_on.wait(30)
        return locate(self)

    monkeypatch.setattr(ParquetLookup, "locate", slow)
    put(path, "new", 2_000)
    clock.seconds = 60.0
    assert hall(lookup) == "old"
    assert going.wait(10)
    clock.seconds = 120.0
    assert (hall(lookup), stale(lookup, clock)) == ("old", False)
    clock.seconds = 120.5
    assert (hall(lookup), stale(lookup, clock)) == ("old", True)
    go_on.set()
    until(lambda: hall(lookup) == "new", "the new file answers", 10)


@pytest.mark.parametrize("broken", ["gone", "half"])
def test_a_look_that_fails_is_logged_once_and_old_facts_answer_as_stale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, looks: list[str], broken: str
) -> None:
    path, clock = tmp_path / "a.parquet", ManualClock()
    put(path, "old", 1_000)
    lookup = opened(path, clock=clock, refresh_seconds=60.0, max_age_seconds=9000.0)
    whole = path.read_bytes()
    if broken == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:50])
    with caplog.at_level(logging.INFO):
        until(lambda: later(clock) and hall(lookup) == "old" and len(looks) > 3, "looks were taken", 30)
        clock.seconds = max(clock.seconds, 121.0)
        assert stale(lookup, clock)
        assert caplog.text.count("its facts could not be looked at again, the old ones answer meanwhile") == 1
        clock.seconds = 9001.0
        with pytest.raises(
            LookupUnavailable, match=r"lookup shelves: .* 9,001 s ago, and max_age_seconds is 9000: .*a\.p"
        ):
            hall(lookup)
        path.write_bytes(whole)
        clock.seconds = 10_000.0
        until(lambda: answers(lookup) and not stale(lookup, clock), "the next look succeeds", 10)
        until(lambda: "lookup shelves: its facts can be looked at again" in caplog.text, "the log says so", 10)
    assert hall(lookup) == "old"


def later(clock: ManualClock) -> float:
    """Let ten seconds pass: when a look that failed is due again depends on when it ended."""
    clock.advance(10.0)
    return clock.seconds


def answers(lookup: Any) -> bool:
    with suppress(LookupUnavailable):
        return bool(hall(lookup))
    return False


def test_a_pinned_lookup_never_looks_again(tmp_path: Path) -> None:
    path, clock, before = tmp_path / "a.parquet", ManualClock(), refreshing()
    put(path, "old", 1_000)
    lookup = opened(path, clock=clock, pinned=True, refresh_seconds=60.0, max_age_seconds=60.0)
    path.unlink()
    clock.seconds = 1e9
    assert (hall(lookup), stale(lookup, clock)) == ("old", False)
    assert refreshing() <= before


def test_the_thread_ends_with_the_lookup(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", "old", 1_000)
    before = refreshing()
    lookup = opened(tmp_path / "a.parquet")
    assert refreshing() - before
    lookup.close()
    until(lambda: refreshing() <= before, "the thread of a closed lookup ended", 10)
    lookup = opened(tmp_path / "a.parquet")
    del lookup
    gc.collect()
    until(lambda: refreshing() <= before, "the thread of a lookup that is gone ended", 10)


def refreshing() -> set[int]:
    """The threads that look at files again."""
    return {id(each) for each in threading.enumerate() if each.name == "refresh shelves"}
