"""Windowed runs: which rows they write, and to which run each reject and drop belongs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.support.visits import RAW, TYPED, BatchArguments, Fields, Visits, balance, day, visit, window
from trivium.core.errors import RunError
from trivium.delivery.delta.snapshot import Snapshot
from trivium.runtimes.batch import prepare

DAYS = 5


def archive() -> list[list[Fields]]:
    """Events by source day: on time, a day late, rows on two days, drops, rejects of every kind, unknown types."""
    days: list[list[Fields]] = []
    for n in range(DAYS):
        bad = {"value": b'{"event_type": "visit", "event_id": "bad%d"}' % n}
        days.append(
            [
                visit(f"a{n}", n),
                visit(f"late{n}", n - 1),
                visit(f"two{n}", n, back=1),
                visit(f"drop{n}", n, action="drop"),
                visit(f"latedrop{n}", n - 1, action="drop"),
                visit(f"raise{n}", n, action="raise"),
                visit(f"lateraise{n}", n - 1, action="raise"),
                bad,
                {"value": None},
                {"event_type": "other", "event_id": f"o{n}"},
            ]
        )
    return days


def filled(root: Path, **settings: int) -> Visits:
    project = Visits(root, **settings)
    for number, events in enumerate(archive()):
        project.write(number, events)
    return project


@pytest.fixture
def project(tmp_path: Path) -> Visits:
    return filled(tmp_path)


def test_a_window_reads_late_days_and_writes_only_its_own_rows(project: Visits) -> None:
    report = project.run(window(1, 3))
    assert project.content().ids == ["a1.0", "a2.0", "late2.0", "late3.0", "two1.0", "two2.0", "two2.1", "two3.1"]
    total = balance(report)
    assert total.read == 30
    assert total.emitted_inputs == 7
    assert total.emitted_rows == 8
    assert total.dropped == 2 * 4
    assert total.rejected == 2 * 3
    assert total.out_of_window == 30 - 7 - 8 - 6


def test_late_events_are_not_found_without_late_days(project: Visits) -> None:
    project.configure(late_days=0)
    project.run(window(1, 2))
    assert project.content().ids == ["a1.0", "two1.0"]


def test_rejects_of_late_days_are_left_to_the_run_that_owns_them(project: Visits) -> None:
    report = project.run(window(1, 3))
    letters = project.content().letters
    assert {letter[-1] for letter in letters} == {str(day(1)), str(day(2))}
    assert len(letters) == report.dead_letters == 6
    project.run(window(3, 4))
    assert {letter[-1] for letter in project.content().letters} == {str(day(1)), str(day(2)), str(day(3))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Visits, object]:
    project = filled(tmp_path_factory.mktemp("whole"))
    return project, project.run()


@pytest.mark.parametrize(
    ("cuts", "late_days"),
    [((0, 5), 1), ((0, 1, 5), 1), ((0, 2, 3, 5), 1), ((0, 1, 2, 3, 4, 5), 2), ((3, 5, 0, 3), 1)],
)  # fmt: skip
def test_adjacent_windows_give_what_one_whole_run_gives(
    tmp_path: Path, whole: tuple[Visits, object], cuts: Sequence[int], late_days: int
) -> None:
    project = filled(tmp_path, late_days=late_days, unit_rows=4)
    windows = [pair for pair in pairwise(cuts) if pair[0] < pair[1]]
    reports = [project.run(window(*each)) for each in windows]
    expected, report = whole
    before = datetime.combine(day(0), datetime.min.time(), UTC)  # what is older than the archive is in no window
    rows = [row for row in expected.content().rows if row[1] >= before.timestamp() * 1_000_000]
    assert project.content() == replace(expected.content(), rows=rows)
    parts, total = balance(*reports), balance(report)  # type: ignore[arg-type]
    assert (parts.dropped, parts.rejected) == (total.dropped, total.rejected)
    assert parts.emitted_rows == total.emitted_rows - 2
    assert total.out_of_window == 0
    assert total.read == DAYS * 10


def test_a_windowed_rerun_replaces_only_its_days(project: Visits) -> None:
    project.run()
    before = project.content()
    project.write(2, [visit("new", 2), visit("newraise", 2, action="raise")])
    report = project.run(window(2, 3))
    after = project.content()
    days = Snapshot.latest(project.table)
    assert days.event_days() == [str(day(n)) for n in range(-1, DAYS)]
    gone = {"a2.0", "late3.0", "two2.0", "two3.1"}
    assert set(after.ids) == set(before.ids) - gone | {"new.0", "late3.0", "two3.1"}
    kept = [letter for letter in before.letters if letter[-1] != str(day(2))]
    assert [letter for letter in after.letters if letter[-1] != str(day(2))] == kept
    assert [letter[4] for letter in after.letters if letter[-1] == str(day(2))] != []
    assert report.dead_letters == 1
    project.run(window(2, 3))
    assert project.content() == after


def test_a_rerun_without_rejects_clears_those_of_its_days_and_writes_no_dead_letter_data(project: Visits) -> None:
    project.run(window(1, 3))
    version = DeltaTable(project.letters).version()
    for number in (1, 2, 3):
        project.write(number, [visit(f"a{number}", number)])
    files = sorted(Path(project.letters).rglob("*.parquet"))
    project.run(window(1, 3))
    assert project.content().letters == []
    assert sorted(Path(project.letters).rglob("*.parquet")) == files
    history = DeltaTable(project.letters).history()
    assert [entry["version"] for entry in history if entry["version"] > version and entry.get("kind") == "append"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        BatchArguments(day(2), day(2)),
        BatchArguments(day(3), day(2)),
        BatchArguments(day(2), None),
        BatchArguments(None, day(2)),
    ],
)
def test_an_empty_or_half_window_is_refused(project: Visits, arguments: BatchArguments) -> None:
    with pytest.raises(RunError, match=r"expected --from before --to, got .* Try: --from"):
        project.run(arguments)
    assert not Path(project.table).exists()


def test_a_window_without_source_files_is_refused_and_shows_what_there_is(project: Visits) -> None:
    project.run()
    before = project.content()
    with pytest.raises(RunError, match=rf"found no files of {day(30)} \(it has {day(0)} to {day(4)}\)"):
        project.run(window(30, 31))
    assert project.content() == before


@pytest.mark.parametrize("arguments", [None, window(0, 1)], ids=["whole", "window"])
@pytest.mark.parametrize("groups", [0, 1])
def test_a_source_without_any_rows_is_refused(project: Visits, arguments: BatchArguments | None, groups: int) -> None:
    project.run()
    before = project.content()
    for path in (project.root / "data").rglob("*.parquet"):
        schema = pa.schema([("value", pa.binary())])
        with pq.ParquetWriter(path, schema) as writer:
            for _ in range(groups):
                writer.write_table(schema.empty_table())
    with pytest.raises(RunError, match=r"expected .* found none .*Try: "):
        project.run(arguments)
    assert project.content() == before


def test_a_window_needs_days(tmp_path: Path) -> None:
    project = Visits(tmp_path, source=", value_column: value")
    project.write(0, [visit("a", 0)])
    with pytest.raises(RunError, match=r"a window needs to know the days .* Try: set batch\.source\.day_column"):
        project.run(window(0, 1))
    assert project.run().total.emitted_rows == 1


def test_the_balance_is_kept_with_the_commit(project: Visits) -> None:
    report = project.run(window(1, 3))
    (entry,) = DeltaTable(project.table).history(1)
    assert json.loads(entry["balance"])["visit"] == {
        "read": 24, "emitted_inputs": 7, "emitted_rows": 8, "dropped": 4, "rejected": 6, "out_of_window": 7,
        "parked": 0,
    }  # fmt: skip
    assert entry["window"] == f"[{day(1)}, {day(3)})"
    assert entry["generation"] == str(report.generation)
    assert report.counts["visit"].read == 24
    assert report.counts["_unrouted"].dropped == report.counts["_tombstone"].dropped == 2


def test_typed_and_raw_archives_give_equal_tables(tmp_path: Path) -> None:
    raw, typed = Visits(tmp_path / "raw", source=RAW), Visits(tmp_path / "typed", source=TYPED)
    for number, events in enumerate(archive()):
        plain = [event for event in events if event.get("event_type") == "visit"]
        raw.write(number, plain)
        typed.write_typed(number, plain)
    reports = [raw.run(window(1, 3)), typed.run(window(1, 3))]
    assert raw.content().rows == typed.content().rows
    assert reports[0].counts == reports[1].counts
    place = slice(5, 8)
    assert [letter[place] for letter in raw.content().letters] == [letter[place] for letter in typed.content().letters]


def test_a_window_that_would_lose_rows_of_a_day_it_does_not_read_is_refused(tmp_path: Path) -> None:
    visits = Visits(tmp_path)
    visits.write(0, [visit("a", 0), visit("early", 1)])
    visits.write(1, [visit("b", 1)])
    visits.run()
    before = visits.content()
    with pytest.raises(RunError, match=r"also come from day=.*part-0\.parquet, which this window does not read"):
        visits.run(window(1, 2))
    assert visits.content() == before
    visits.run(window(0, 2))
    assert visits.content() == before


def test_a_run_that_commits_while_a_window_starts_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of another source day is not there yet when the window looks first."""
    visits = Visits(tmp_path)
    visits.write(0, [visit("a", 0), visit("early", 1)])
    visits.write(1, [visit("b", 1)])
    keep_plan, ran = prepare.keep_plan, []

    def meanwhile(*arguments: Any) -> None:
        if not ran:
            ran.append(True)
            visits.run()
        keep_plan(*arguments)

    monkeypatch.setattr(prepare, "keep_plan", meanwhile)
    with pytest.raises(RunError, match="which this window does not read"):
        visits.run(window(1, 2))
    assert visits.content().ids == ["a.0", "b.0", "early.0"]
