"""Maintenance of tables in a bucket: the same steps, and versions, counts and rows are still there afterwards."""

from __future__ import annotations

from tests.support.sample_table import S3Tables, day, event_rows, write_rows
from tests.support.upkeep import LaterClock, append_files
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance import ledger
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables


def test_a_table_in_a_bucket(s3_tables: S3Tables):
    generation = s3_tables.begin()
    s3_tables.append_letters(generation, ["2026-01-01"])
    s3_tables.commit(
        s3_tables.proposal(generation, write_rows(s3_tables.uri, event_rows({"a": day(0)})), days=("2026-01-01",))
    )
    for name in "bcd":
        append_files(s3_tables.uri, write_rows(s3_tables.uri, event_rows({name: day(1)}), "streaming"), s3_tables.clock)
    write_rows(s3_tables.uri, event_rows({"never": day(2)}))
    commits, named = ledger.commits(s3_tables.uri), Tables(s3_tables.uri, s3_tables.letters_uri)
    table, _ = maintain(named)
    assert (table.files_before, table.files_after) == (4, 2)
    newest = s3_tables.snapshot.version
    assert Snapshot.at(s3_tables.uri, newest - 1).table.to_pyarrow_table().num_rows == 4

    table, _ = maintain(named, 24, LaterClock(25))
    assert (table.log_entries_removed, table.ledger_commits_added, table.orphans_removed) == (newest, newest, 4)
    assert ledger.commits(s3_tables.uri)[: len(commits)] == commits
    assert s3_tables.content() == dict.fromkeys("abcd", 0)
    assert dead_letters.read(s3_tables.letters_uri, s3_tables.uri).num_rows == 1
    s3_tables.run({"e": day(3)})
