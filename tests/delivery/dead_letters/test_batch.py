from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.foreign_writer import append_entry
from tests.support.sample_table import PIPELINE, Tables, day, letter_rows
from trivium.delivery.coverage.scope import Window
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.batch import SCHEMA, DeadLetterCommit, dead_letter_table, read, remove_uncounted
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced, FileMismatch, PreconditionFailed
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import open_table

D1, D2 = "2026-01-01", "2026-01-02"


def _counted(tables: Tables) -> list[tuple[str | None, str, int]]:
    rows = read(tables.letters_uri, tables.uri)
    assert rows.schema == SCHEMA
    assert dead_letters.count(tables.letters_uri, tables.uri).rejected == rows.num_rows
    return sorted((row["source_day"], row["reason"], row["generation"]) for row in rows.to_pylist())


def _run(tables: Tables, letters: list[str | None], days: tuple[str, ...], reason: str, window=None) -> int:
    generation = tables.begin()
    remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, generation, tables.clock)
    tables.append_letters(generation, letters, reason)
    tables.commit(tables.proposal(generation, (), window, days))
    return generation


def test_dead_letters_count_from_the_table_s_commit_on(tables: Tables):
    generation = tables.begin()
    tables.append_letters(generation, [D1, D1])
    assert _counted(tables) == []
    tables.commit(tables.proposal(generation, (), None, (D1,)))
    assert _counted(tables) == [(D1, "bad", generation)] * 2


class OlderTables(Tables):
    """Tables whose dead letters were made by a release that kept no lines of code."""

    def __post_init__(self) -> None:
        super().__post_init__()
        shutil.rmtree(self.letters_uri)
        older = pa.schema([column for column in SCHEMA if not column.name.startswith("code_")])
        open_table(replace(dead_letter_table(self.letters_uri, PIPELINE), schema=older))


def test_letters_of_an_earlier_release_have_no_line_and_the_next_run_adds_the_columns(tmp_path: Path):
    tables = OlderTables(tmp_path)
    first = _run(tables, [D1], (D1,), "first")
    assert _counted(tables) == [(D1, "first", first)]
    open_table(dead_letter_table(tables.letters_uri, PIPELINE))
    assert {"code_file", "code_line"} <= {each.name for each in Snapshot.latest(tables.letters_uri).schema.fields}
    second = _run(tables, [D2], (D2,), "second", Window(day(1), day(2)))
    assert _counted(tables) == [(D1, "first", first), (D2, "second", second)]
    assert set(read(tables.letters_uri, tables.uri)["code_line"].to_pylist()) == {None}


def test_a_source_without_days(tables: Tables):
    generation = tables.begin()
    tables.append_letters(generation, [None])
    tables.commit(tables.proposal(generation, ()))
    assert _counted(tables) == [(None, "bad", generation)]


def test_a_run_replaces_the_dead_letters_of_its_days_only(tables: Tables):
    first = _run(tables, [D1, D2], (D1, D2), "first")
    second = _run(tables, [D2], (D2,), "second", Window(day(1), day(2)))
    assert _counted(tables) == [(D1, "first", first), (D2, "second", second)]


def test_a_day_without_rejects_any_more_has_none(tables: Tables):
    _run(tables, [D1], (D1,), "first")
    tables.commit(tables.proposal(tables.begin(), (), Window(day(0), day(1)), (D1,)))
    assert _counted(tables) == []


def test_a_whole_run_also_replaces_days_its_source_no_longer_has(tables: Tables):
    _run(tables, [D1, D2], (D1, D2), "first")
    second = _run(tables, [D1], (D1,), "second")
    assert _counted(tables) == [(D1, "second", second)]


def test_the_original_comes_back_whole(tables: Tables):
    _run(tables, [D1], (D1,), "bad")
    (row,) = read(tables.letters_uri, tables.uri).to_pylist()
    (written,) = letter_rows([D1]).to_pylist()
    assert {name: row[name] for name in written} == written
    assert row["runtime"] == "batch"


def test_clean_up_removes_what_never_counted_or_was_superseded_and_keeps_the_rest(tables: Tables):
    first = _run(tables, [D1, D2], (D1, D2), "first")
    second = _run(tables, [D2], (D2,), "second", Window(day(1), day(2)))
    crashed = tables.begin()
    tables.append_letters(crashed, [D1], "never committed")
    own = tables.begin()
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, own, tables.clock) == 2
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, own, tables.clock) == 0
    active = Snapshot.latest(tables.letters_uri).active.values()
    assert sorted(int(file.partition_values["generation"]) for file in active) == [first, second]
    assert _counted(tables) == [(D1, "first", first), (D2, "second", second)]


def test_a_resumed_run_appends_the_files_of_the_killed_one(tables: Tables):
    killed = tables.begin()
    writer = dead_letters.reject_files(Storage(tables.letters_uri), "unit-1")
    writer.write(letter_rows([D1]))
    files = tuple(writer.close())
    dead_letters.append(tables.letters_uri, DeadLetterCommit(PIPELINE, killed, files, (D1,), tables.uri), tables.clock)
    own = tables.begin()
    assert remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, own, tables.clock) == 1
    dead_letters.append(tables.letters_uri, DeadLetterCommit(PIPELINE, own, files, (D1,), tables.uri), tables.clock)
    tables.commit(tables.proposal(own, (), None, (D1,)))
    assert _counted(tables) == [(D1, "bad", own)]


def test_an_older_run_can_neither_append_nor_clean_up(tables: Tables):
    older = tables.begin()
    tables.append_letters(older, [D1])
    tables.begin()
    with pytest.raises(Fenced):
        remove_uncounted(tables.letters_uri, tables.uri, PIPELINE, older, tables.clock)
    with pytest.raises(Fenced):
        tables.append_letters(older, [D1])


def test_a_source_day_the_run_does_not_own_is_refused(tables: Tables):
    writer = dead_letters.reject_files(Storage(tables.letters_uri), "unit-1")
    writer.write(letter_rows([D2]))
    proposal = DeadLetterCommit(PIPELINE, tables.begin(), tuple(writer.close()), (D1,), tables.uri)
    with pytest.raises(PreconditionFailed, match=r"2026-01-02.*does not replace"):
        dead_letters.append(tables.letters_uri, proposal, tables.clock)


def test_appending_twice_is_refused_and_appending_nothing_commits_nothing(tables: Tables):
    generation = tables.begin()
    assert (
        dead_letters.append(
            tables.letters_uri, DeadLetterCommit(PIPELINE, generation, (), (), tables.uri), tables.clock
        )
        is None
    )
    tables.append_letters(generation, [D1])
    with pytest.raises(PreconditionFailed, match="already"):
        tables.append_letters(generation, [D1])


def test_a_missing_file_is_refused(tables: Tables):
    generation = tables.begin()
    writer = dead_letters.reject_files(Storage(tables.letters_uri), "unit-1")
    writer.write(letter_rows([D1]))
    (file,) = writer.close()
    Path(tables.letters_uri, file.path).unlink()
    with pytest.raises(FileMismatch, match="no longer on storage"):
        dead_letters.append(
            tables.letters_uri, DeadLetterCommit(PIPELINE, generation, (file,), (D1,), tables.uri), tables.clock
        )


@pytest.mark.parametrize("point", ["dead_letters.before_commit", "dead_letters.after_commit"])
def test_an_unknown_outcome_appends_once(tables: Tables, monkeypatch, point: str):
    generation = tables.begin()
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    monkeypatch.setattr(
        tables.clock, "sleep", lambda _seconds: monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
    )
    tables.append_letters(generation, [D1])
    tables.commit(tables.proposal(generation, (), None, (D1,)))
    assert len(_counted(tables)) == 1


def test_a_run_that_commits_during_a_read_is_seen_whole(tables: Tables, monkeypatch):
    _run(tables, [D1], (D1,), "first")
    real, interfered = Snapshot.latest, []

    def latest(uri: str) -> Snapshot:
        if uri == tables.letters_uri and not interfered:
            interfered.append(True)
            _run(tables, [D1], (D1,), "second")
            tables.append_letters(tables.begin(), [D1], "third, not committed")
        return real(uri)

    monkeypatch.setattr(Snapshot, "latest", latest)
    assert [reason for _, reason, _ in _counted(tables)] == ["second"]


def test_counting_reads_no_body(tables: Tables, monkeypatch):
    _run(tables, [D1, D1, D2], (D1, D2), "bad")
    columns: list[str] = []
    real = Snapshot.rows_of
    monkeypatch.setattr(
        Snapshot,
        "rows_of",
        lambda snapshot, paths, schema: (columns.extend(schema.names), real(snapshot, paths, schema))[1],
    )
    assert dead_letters.count(tables.letters_uri, tables.uri).rejected == 3
    assert "value" not in columns


def test_files_whose_rows_the_log_does_not_count_are_counted_too(tables: Tables):
    """Another engine arranged them anew and kept no statistics."""
    _run(tables, [D1, D1, D2], (D1, D2), "bad")
    (file, *_) = [
        each
        for each in Snapshot.latest(tables.letters_uri).active.values()
        if each.partition_values["source_day"] == D1
    ]
    add = {"path": file.path, "size": file.size, "partitionValues": dict(file.partition_values)}
    append_entry(tables.letters_uri, {"add": add | {"modificationTime": 1, "dataChange": False}})
    assert dead_letters.count(tables.letters_uri, tables.uri).rejected == 3
