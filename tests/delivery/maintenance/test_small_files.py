"""Small files of streams: counted from the table, and said once there are too many for readers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.support.sample_table import day
from tests.support.stream_table import StreamTables
from tests.support.upkeep import compact_events, stream
from trivium.delivery.maintenance import small_files as counting
from trivium.delivery.maintenance.small_files import SmallFiles, small_files
from trivium.runtimes.streaming.table_watch import TableWatch


@pytest.mark.parametrize(
    ("found", "overdue"),
    [
        (SmallFiles(), False),
        (SmallFiles(9_999, 999, "2026-01-01"), False),
        (SmallFiles(1_000, 1_000, "2026-01-01"), True),
        (SmallFiles(10_000, 20, "2026-01-01"), True),
    ],
)
def test_maintenance_is_overdue_by_the_files_of_a_day_or_of_all(found: SmallFiles, overdue: bool):
    assert found.overdue is overdue


def test_files_of_streams_are_counted_by_day_until_they_are_joined(tmp_path: Path):
    tables = StreamTables(tmp_path)
    stream(tables, epochs=4)
    tables.run({"b": day(1), "c": day(2)})
    most = small_files(tables.snapshot)
    streams = [file for file in tables.snapshot.active.values() if file.partition_values["_runtime"] == "streaming"]
    days = [file.partition_values["event_date"] for file in streams]
    assert most == SmallFiles(len(days), days.count(most.day), most.day)
    assert most.of_day == max(days.count(each) for each in days) >= 4
    compact_events(tables)
    assert small_files(tables.snapshot).of_day == 1


def test_a_watch_warns_of_overdue_files_with_the_command_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    tables = StreamTables(tmp_path)
    stream(tables, epochs=4)
    watch = TableWatch(tables.uri)
    with caplog.at_level(logging.WARNING, "trivium"):
        found = watch.look()
        assert caplog.records == []
        monkeypatch.setattr(counting, "OVERDUE_OF_A_DAY", found.of_day)
        watch.look()
    (said,) = caplog.records
    assert f"{found.of_day} of them of event day {found.day}" in said.getMessage()
    assert f"trivium maintain {tables.uri}" in said.getMessage()


def test_a_watch_that_cannot_look_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    watch = TableWatch(str(tmp_path / "none"), seconds=0.01)
    with caplog.at_level(logging.WARNING, "trivium"):
        watch.start()
        for _ in range(500):
            if len(caplog.records) > 1:
                break
            watch._stop.wait(0.01)  # noqa: SLF001
        watch.stop()
    assert "cannot count the small files" in caplog.records[1].getMessage()
