from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support.sample_table import PIPELINE, day
from tests.support.stream_table import IDENTITIES, PARTITIONS, StreamTables, letters_at
from trivium.delivery.commit.committer import Landed, commit
from trivium.delivery.commit.positions import Reset
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters import stream as stream_letters
from trivium.delivery.dead_letters.stream import StreamLetters, append
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import CommitRaceLost, Fenced, FileMismatch, OutcomeUnknown, PreconditionFailed
from trivium.runtimes.streaming.epochs import land


@pytest.fixture
def tables(tmp_path: Path) -> StreamTables:
    return StreamTables(tmp_path)


def _disarm_while_waiting(tables: StreamTables, monkeypatch) -> None:
    real = tables.clock.sleep

    def sleep(seconds: float) -> None:
        monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
        real(seconds)

    tables.clock.sleep = sleep


def _reset_to_a_new_topic(tables: StreamTables, partitions: tuple[str, ...] = PARTITIONS) -> None:
    operator = tables.start(partitions=partitions)
    proposal = Reset(PIPELINE, operator.generation, dict.fromkeys(partitions, 0), {"flights": 4712})
    commit(tables.uri, proposal, tables.clock)


def test_letters_count_once_the_table_s_position_has_passed_them(tables: StreamTables):
    run = tables.adopted()
    epoch = {"flights/0": (0, "err"), "flights/1": (0, "re")}
    run.letters(epoch)
    assert tables.all_letters() == {("flights/0", 1): 1, ("flights/0", 2): 1, ("flights/1", 0): 1}
    assert not tables.counted_letters()
    run.commit(run.proposal(epoch))
    assert tables.counted_letters() == tables.all_letters()
    run.letters({"flights/0": (3, "r")})
    assert ("flights/0", 3) not in tables.counted_letters()
    assert ("flights/0", 3) in tables.all_letters()


def test_every_range_of_the_epoch_is_kept_up_to_its_end(tables: StreamTables):
    tables.adopted().letters({"flights/0": (0, "re"), "flights/1": (0, "ddd")})
    assert tables.letter_positions() == {"flights/0": 2, "flights/1": 3}


def test_an_empty_letter_table_has_no_letter_that_counts(tables: StreamTables):
    rows = letters_at("flights/0", [])
    assert stream_letters.counted(rows, tables.snapshot).to_pylist() == []
    assert not tables.counted_letters()


def test_a_start_removes_what_a_dead_run_left_and_takes_the_positions_back(tables: StreamTables):
    died = tables.adopted()
    died.run_epoch({"flights/0": (0, "rr")})
    died.letters({"flights/0": (2, "rer"), "flights/1": (0, "r")})
    run = tables.start()
    assert run.removed == 3
    assert tables.all_letters() == {("flights/0", 0): 1, ("flights/0", 1): 1}
    assert tables.letter_positions() == {"flights/0": 2, "flights/1": 0}
    run.run_epoch({"flights/0": (2, "ere"), "flights/1": (0, "e")})
    assert tables.counted_letters() == tables.all_letters() == {("flights/0", offset): 1 for offset in (0, 1, 3)}
    assert tables.rows() == {("flights/0", 2): 1, ("flights/0", 4): 1, ("flights/1", 0): 1}


def test_a_start_that_dies_after_the_letters_of_a_first_epoch_leaves_none(tables: StreamTables):
    tables.adopted().letters({"flights/0": (0, "rr")})
    assert tables.start().removed == 2
    assert tables.letter_positions()["flights/0"] == 0
    assert not tables.all_letters()


def test_a_start_with_nothing_to_remove_commits_nothing(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "re")})
    before = Snapshot.latest(tables.letters_uri).version
    assert tables.start().removed == 0
    assert Snapshot.latest(tables.letters_uri).version == before + 1  # the generation


def test_positions_are_taken_back_although_no_letter_is_left(tables: StreamTables):
    """A letter-less range that a dead run had kept letters of another partition with."""
    tables.adopted().letters({"flights/0": (0, "r"), "flights/1": (0, "dd")})
    tables.start().run_epoch({"flights/1": (0, "r")})
    assert tables.counted_letters() == {("flights/1", 0): 1}


def test_letters_are_removed_out_of_a_compacted_file(tables: StreamTables):
    died = tables.adopted()
    died.run_epoch({"flights/0": (0, "rr"), "flights/1": (0, "r")})
    died.letters({"flights/0": (2, "rr")})
    DeltaTable(tables.letters_uri).optimize.compact()
    (mixed,) = _active(tables)
    kept, texts = tables.counted_letters(), _texts(tables)
    assert kept == {("flights/0", 0): 1, ("flights/0", 1): 1, ("flights/1", 0): 1}
    assert tables.start().removed == 2
    assert tables.all_letters() == tables.counted_letters() == kept
    assert _texts(tables) < texts
    (again,) = _active(tables)
    assert (again.path != mixed.path, again.partition_values) == (True, mixed.partition_values)


def test_a_compacted_file_of_which_no_letter_counts_is_removed_whole(tables: StreamTables):
    died = tables.adopted()
    died.letters({"flights/0": (0, "rr")})
    died.letters({"flights/0": (2, "r")})
    DeltaTable(tables.letters_uri).optimize.compact()
    assert tables.start().removed == 3
    assert not _active(tables)


def test_a_compacted_file_whose_letters_all_count_is_left_alone(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "rr")})
    run.run_epoch({"flights/0": (2, "r")})
    DeltaTable(tables.letters_uri).optimize.compact()
    (kept,) = _active(tables)
    run.letters({"flights/0": (3, "r")})
    tables.start()
    assert _active(tables) == [kept]


def _active(tables: StreamTables) -> list:
    return list(Snapshot.latest(tables.letters_uri).active.values())


def _texts(tables: StreamTables) -> set[str]:
    """Every letter whole, as text."""
    snapshot = Snapshot.latest(tables.letters_uri)
    rows = snapshot.rows_of(list(snapshot.active), dead_letters.SCHEMA)
    return {str(sorted(row.items())) for row in rows.to_pylist()}


def test_letters_of_an_older_position_epoch_count_for_ever(tables: StreamTables):
    old = tables.adopted()
    old.run_epoch({"flights/0": (0, "eer")})
    old.letters({"flights/0": (3, "r")})
    _reset_to_a_new_topic(tables)
    assert tables.counted_letters() == tables.all_letters() == {("flights/0", 2): 1}
    run = tables.start(epoch=1)
    assert tables.letter_positions()["flights/0"] == 0
    run.letters({"flights/0": (0, "rr")})
    assert tables.counted_letters() == {("flights/0", 2): 1}
    run.commit(run.proposal({"flights/0": (0, "rr")}))
    assert tables.counted_letters() == {("flights/0", 2): 1, ("flights/0@1", 0): 1, ("flights/0@1", 1): 1}


def test_letters_of_an_epoch_that_is_not_open_yet_do_not_count(tables: StreamTables):
    """After a power cut the table may have lost the reset that the letters came after."""
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "eeee")})
    run.epoch = 1
    run.letters({"flights/0": (4, "r")})
    run.epoch = 0
    run.commit(run.proposal({"flights/0": (4, "ee")}))
    assert not tables.counted_letters()


def test_uncounted_letters_of_a_partition_that_is_no_more_are_removed_before_a_reset(tables: StreamTables):
    """The reset would make them letters of an older epoch, which all count."""
    died = tables.adopted()
    died.run_epoch({"flights/1": (0, "ee")})
    died.letters({"flights/1": (2, "rr")})
    _reset_to_a_new_topic(tables, ("flights/0",))
    assert not tables.counted_letters()
    assert not tables.all_letters()


def test_an_older_run_appends_and_removes_nothing(tables: StreamTables):
    older = tables.adopted()
    newer = tables.start()
    newer.letters({"flights/0": (0, "r")})
    with pytest.raises(Fenced):
        older.letters({"flights/0": (0, "rr")})
    with pytest.raises(Fenced):
        older.clean_up()
    assert tables.all_letters() == {("flights/0", 0): 1}


def test_letters_of_a_range_are_appended_once(tables: StreamTables):
    run = tables.adopted()
    run.letters({"flights/0": (0, "rr")})
    with pytest.raises(PreconditionFailed, match="kept up to 2, this range starts at 0"):
        run.letters({"flights/0": (0, "rr")})
    with pytest.raises(PreconditionFailed, match="kept up to 2, this range starts at 1"):
        run.letters({"flights/0": (1, "r"), "flights/1": (0, "r")})
    assert sum(tables.all_letters().values()) == 2


def test_epochs_without_letters_leave_no_gap_that_refuses_later_ones(tables: StreamTables):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "r")})
    run.run_epoch({"flights/0": (1, "ee")})
    run.run_epoch({"flights/0": (3, "r")})
    assert tables.counted_letters() == {("flights/0", 0): 1, ("flights/0", 3): 1}


def test_a_letter_file_that_went_is_named(tables: StreamTables):
    run = tables.adopted()
    files = run.letter_files({"flights/0": (0, "r")})
    Path(tables.letters_uri, files[0].path).unlink()
    proposal = StreamLetters(PIPELINE, run.generation, files, {"flights/0": (0, 1)})
    with pytest.raises(FileMismatch, match="no longer on storage"):
        append(tables.letters_uri, proposal, tables.clock)
    assert tables.letter_positions()["flights/0"] is None


@pytest.mark.parametrize("point", ["stream_letters.before_commit", "stream_letters.after_commit"])
def test_a_lost_response_appends_once(tables: StreamTables, monkeypatch, point: str):
    run = tables.adopted()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    _disarm_while_waiting(tables, monkeypatch)
    assert run.letters({"flights/0": (0, "er")}).attempts == 2
    assert tables.all_letters() == {("flights/0", 1): 1}


@pytest.mark.parametrize("point", ["clean_up.before_commit", "clean_up.after_commit"])
def test_a_lost_response_removes_once(tables: StreamTables, monkeypatch, point: str):
    run = tables.adopted()
    run.run_epoch({"flights/0": (0, "er")})
    run.letters({"flights/0": (2, "rr")})
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    _disarm_while_waiting(tables, monkeypatch)
    assert tables.start().removed == 2
    assert tables.all_letters() == tables.counted_letters() == {("flights/0", 1): 1}


def test_letters_that_landed_while_the_table_could_not_be_read_are_found(tables: StreamTables, monkeypatch):
    """The commit lands, its response is lost, and the storage does not answer until the committer has given up."""
    run = tables.adopted()
    stretches = {"flights/0": (0, "rr")}
    proposal = StreamLetters(PIPELINE, run.generation, run.letter_files(stretches), {"flights/0": (0, 2)})
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "stream_letters.after_commit:raise")
    real, calls = Snapshot.latest, []

    def silent_for_a_while(uri: str) -> Snapshot:
        calls.append(uri)
        if 1 < len(calls) < 14:
            message = "no answer"
            raise OSError(message)
        return real(uri)

    monkeypatch.setattr(Snapshot, "latest", silent_for_a_while)
    _disarm_while_waiting(tables, monkeypatch)
    land(tables.letters_uri, proposal, lambda: append(tables.letters_uri, proposal, tables.clock), tables.clock)
    assert tables.all_letters() == {("flights/0", 0): 1, ("flights/0", 1): 1}


def test_letters_that_arrive_after_they_were_given_up_are_found(tables: StreamTables):
    """The storage keeps the last attempt's entry back until the next attempt is about to look at the table."""
    run = tables.adopted()
    proposal = StreamLetters(
        PIPELINE, run.generation, run.letter_files({"flights/0": (0, "rr")}), {"flights/0": (0, 2)}
    )
    attempts = []

    def attempt() -> Landed:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise CommitRaceLost("no attempt was answered")
        if len(attempts) == 2:
            append(tables.letters_uri, proposal, tables.clock)
        return append(tables.letters_uri, proposal, tables.clock)

    landed = land(tables.letters_uri, proposal, attempt, tables.clock)
    assert (len(attempts), landed.version) == (2, Snapshot.latest(tables.letters_uri).version)
    assert tables.all_letters() == {("flights/0", 0): 1, ("flights/0", 1): 1}


def test_what_forbids_a_commit_from_the_first_is_told(tables: StreamTables):
    run = tables.adopted()
    proposal = StreamLetters(
        PIPELINE, run.generation, run.letter_files({"flights/0": (0, "rr")}), {"flights/0": (0, 2)}
    )
    append(tables.letters_uri, proposal, tables.clock)
    with pytest.raises(PreconditionFailed):
        land(tables.letters_uri, proposal, lambda: append(tables.letters_uri, proposal, tables.clock), tables.clock)


def test_without_an_answer_the_committer_says_so(tables: StreamTables, monkeypatch):
    run = tables.adopted()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "stream_letters.after_commit:raise")
    real, calls = Snapshot.latest, []

    def silent(uri: str) -> Snapshot:
        calls.append(uri)
        if len(calls) > 1:
            message = "no answer"
            raise OSError(message)
        return real(uri)

    monkeypatch.setattr(Snapshot, "latest", silent)
    with pytest.raises(OutcomeUnknown, match="ended without an answer"):
        run.letters({"flights/0": (0, "r")})


def test_a_storage_that_refuses_every_commit_leaves_the_letters_out(tables: StreamTables, monkeypatch):
    run = tables.adopted()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", "stream_letters.before_commit:raise")
    with pytest.raises(CommitRaceLost, match="nothing was committed"):
        run.letters({"flights/0": (0, "r")})
    assert not tables.all_letters()


def test_batch_s_letters_are_not_touched_by_streams_nor_streams_by_batch(tables: StreamTables):
    batch = tables.begin()
    tables.append_letters(batch, ["2026-01-01"])
    tables.commit(tables.proposal(batch, (), days=("2026-01-01",)))
    died = tables.adopted()
    died.run_epoch({"flights/0": (0, "r")})
    died.letters({"flights/0": (1, "r")})
    uncounted = tables.begin()
    tables.append_letters(uncounted, ["2026-01-02"])
    assert tables.start().removed == 1
    assert tables.all_letters() == {("raw.parquet", 0): 2, ("flights/0", 0): 1}
    assert tables.counted_letters() == {("raw.parquet", 0): 1, ("flights/0", 0): 1}
    assert dead_letters.remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, uncounted, tables.clock) == 1
    assert tables.all_letters() == tables.counted_letters()


def test_a_start_of_the_stream_beside_a_batch_commit(tables: StreamTables, monkeypatch):
    """Batch commits letters while the stream cleans up: the clean-up is done again, on what is there then."""
    died = tables.adopted()
    died.letters({"flights/0": (0, "r")})
    real, raced = stream_letters.CleanUp.change, []

    def race(self, snapshot):
        change = real(self, snapshot)
        if not raced:
            raced.append(True)
            tables.append_letters(tables.begin(), ["2026-01-01"])
        return change

    monkeypatch.setattr(stream_letters.CleanUp, "change", race)
    assert tables.start().removed == 1
    assert tables.all_letters() == {("raw.parquet", 0): 1}


def test_one_partition_s_letters_do_not_count_by_another_s_position(tables: StreamTables):
    run = tables.adopted()
    run.letters({"flights/0": (0, "rr"), "flights/1": (0, "rr")})
    run.commit(run.proposal({"flights/0": (0, "rr")}))
    assert tables.counted_letters() == {("flights/0", 0): 1, ("flights/0", 1): 1}


def test_identities_do_not_change_by_an_epoch(tables: StreamTables):
    tables.adopted().run_epoch({"flights/0": (0, "re")})
    tables.run({"a": day(0)})
    assert tables.positions().identities == IDENTITIES


def test_a_clean_up_that_lost_to_a_newer_run_s_is_not_taken_for_its_own(tables: StreamTables, monkeypatch):
    """Nothing is ahead of the table any more, but somebody else saw to that."""
    tables.adopted().letters({"flights/0": (0, "r")})
    older = tables.begin_stream()
    real, raced = stream_letters.CleanUp.change, []

    def newer_run_starts(self, snapshot):
        change = real(self, snapshot)
        if not raced:
            raced.append(True)
            tables.start()
        return change

    monkeypatch.setattr(stream_letters.CleanUp, "change", newer_run_starts)
    with pytest.raises(Fenced):
        older.clean_up()


def test_a_start_that_wakes_in_its_clean_up_removes_nothing_that_counts(tables: StreamTables, monkeypatch):
    """It looked at the table before a newer run brought the position past the letters it now finds."""
    tables.adopted().letters({"flights/0": (0, "r")})
    older = tables.begin_stream()
    real = stream_letters.commit

    def newer_run_comes_far(uri, proposal, clock):
        monkeypatch.setattr(stream_letters, "commit", real)
        tables.start().run_epoch({"flights/0": (0, "rr")})
        return real(uri, proposal, clock)

    monkeypatch.setattr(stream_letters, "commit", newer_run_comes_far)
    with pytest.raises(Fenced):
        older.clean_up()
    assert tables.counted_letters() == {("flights/0", 0): 1, ("flights/0", 1): 1}
