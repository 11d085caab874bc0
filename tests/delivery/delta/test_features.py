"""Features that another engine put into a table: refused by name wherever they matter, and only there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, TableFeatures

from tests.support.foreign_features import FOR_READERS, FOR_WRITERS, KEPT_TO, Given
from tests.support.sample_table import AUTHOR, PIPELINE, TYPES, Tables, day, event_rows, write_rows
from trivium.delivery.coverage.scope import Scope
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import PreconditionFailed, StorageError, UnsupportedFeature
from trivium.delivery.merge import query as merge
from trivium.delivery.table import events_table, open_table
from trivium.operations import dead_letters as letters
from trivium.operations import reading
from trivium.operations.maintain import maintain, preview
from trivium.operations.tables import Tables as Places
from trivium.runtimes.batch.prepare import check_append_only

_REFUSED = (UnsupportedFeature, StorageError)  # a log that deltalake itself does not open is a StorageError

READ: dict[str, Callable[[Tables], object]] = {
    "read": lambda tables: reading.read_rows(tables.uri),
    "read --version": lambda tables: reading.read_rows(tables.uri, 0),
    "read --sql": lambda tables: reading.sql(tables.uri, "polars"),
    "dead-letters": lambda tables: letters.read_letters(Places(tables.uri, tables.letters_uri)),
    "merge": lambda tables: merge.read(tables.uri),
}
WRITE: dict[str, Callable[[Tables], object]] = {
    "a run's start": lambda tables: open_table(events_table(tables.uri, PIPELINE, AUTHOR, ["event_date"])),
    "generation": lambda tables: tables.begin(),
    "maintain": lambda tables: maintain(Places(tables.uri, tables.letters_uri)),
    "maintain --dry-run": lambda tables: preview(Places(tables.uri, tables.letters_uri)),
}


def _name(label: str) -> str:
    """Return the name that is to be said: the label without what tells it from another."""
    return label.split(" of ", maxsplit=1)[0]


@pytest.fixture
def filled(tables: Tables) -> Tables:
    tables.run({"a": day(0), "b": day(1)})
    return tables


@pytest.mark.parametrize("label", FOR_READERS)
def test_what_readers_must_know_is_refused_by_every_command(filled: Tables, label: str):
    FOR_READERS[label].put(filled.uri)
    wrong = []
    for command, do in {**READ, **WRITE}.items():
        with pytest.raises(_REFUSED) as caught:
            do(filled)
        said = str(caught.value)
        name = "catalog-managed" if label == "catalogManaged" else _name(label)
        if name not in said or "Try: " not in said or filled.uri.rsplit("/", 1)[-1] not in said:
            wrong.append(f"{command}: {said}")
    assert wrong == []


@pytest.mark.parametrize("label", FOR_WRITERS)
def test_what_writers_must_keep_to_is_refused_by_writers_and_read(filled: Tables, label: str):
    version = FOR_WRITERS[label].put(filled.uri)
    assert reading.read_rows(filled.uri).table.num_rows == 2
    assert letters.read_letters(Places(filled.uri, filled.letters_uri)) == []
    for do in WRITE.values():
        with pytest.raises(UnsupportedFeature, match=f"(?s){_name(label)}.*Try: "):
            do(filled)
    assert DeltaTable(filled.uri).version() == version


@pytest.mark.parametrize("label", KEPT_TO)
def test_what_asks_nothing_of_us_is_worked_with(filled: Tables, label: str):
    KEPT_TO[label].put(filled.uri)
    for do in {**READ, **WRITE}.values():
        do(filled)
    filled.run({"c": day(1), "d": day(2)})
    assert filled.content() == {"c": 0, "d": 0}


@pytest.mark.parametrize("given", [FOR_READERS["deletionVectors"], FOR_WRITERS["clustering"]])
def test_features_of_the_dead_letters_count_as_well(filled: Tables, given: Given):
    given.put(filled.letters_uri)
    for command in ("generation", "maintain", "maintain --dry-run"):
        with pytest.raises(UnsupportedFeature, match="flights_dead_letters uses"):
            WRITE[command](filled)
    with pytest.raises(UnsupportedFeature, match="flights_dead_letters uses"):
        open_table(dead_letters.dead_letter_table(filled.letters_uri, PIPELINE))


def test_a_feature_switched_on_beside_a_run_stops_its_commit(filled: Tables):
    generation = filled.begin()
    files = write_rows(filled.uri, event_rows({"c": day(0)}))
    DeltaTable(filled.uri).alter.add_constraint({"small": "delay < 5"})
    version = DeltaTable(filled.uri).version()
    with pytest.raises(UnsupportedFeature, match=r"CHECK constraints .*delta\.constraints\.small = delay < 5"):
        filled.commit(filled.proposal(generation, files))
    assert DeltaTable(filled.uri).version() == version


def test_a_time_is_not_asked_of_a_table_that_keeps_its_own(filled: Tables):
    FOR_WRITERS["inCommitTimestamp"].put(filled.uri)
    with pytest.raises(UnsupportedFeature, match=r"not read as of a time.*in-commit timestamps"):
        reading.read_rows(filled.uri, datetime.now(UTC))


def test_features_inside_structs_and_lists_are_found(tmp_path: Path):
    generated = pa.field("b", pa.int64(), metadata={"delta.generationExpression": "1"})
    nested = pa.list_(pa.field("element", pa.struct([pa.field("a", pa.struct([generated]))])))
    author = AUTHOR.append(pa.field("nested", nested))
    with pytest.raises(UnsupportedFeature, match=r"column nested\.a\.b: delta\.generationExpression"):
        open_table(events_table(str(tmp_path), PIPELINE, author, ["event_date"]))


def test_what_deltalake_itself_switches_on_is_found(filled: Tables):
    DeltaTable(filled.uri).alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    with pytest.raises(UnsupportedFeature, match=r"deletion vectors \(deletionVectors: reader feature\).*REORG TABLE"):
        Snapshot.latest(filled.uri)


def test_an_append_only_table_is_read_added_to_and_maintained_but_nothing_of_it_is_replaced(filled: Tables):
    Given(properties={"delta.appendOnly": "true"}).put(filled.uri)
    for do in {**READ, **WRITE}.values():
        do(filled)
    with pytest.raises(PreconditionFailed, match=r"delta\.appendOnly = true forbids to replace.*Try: "):
        check_append_only(filled.snapshot, Scope(None, TYPES))
    with pytest.raises(PreconditionFailed, match=r"delta\.appendOnly"):
        filled.run({"c": day(0)})
    assert filled.clock.slept == []
    assert filled.content() == {"a": 0, "b": 0}


def test_compaction_of_an_append_only_table_moves_rows(tables: Tables):
    generation = tables.begin()
    files = (*write_rows(tables.uri, event_rows({"a": day(0)})), *write_rows(tables.uri, event_rows({"b": day(0)})))
    tables.commit(tables.proposal(generation, files))
    Given(properties={"delta.appendOnly": "true"}).put(tables.uri)
    check_append_only(Snapshot.at(tables.uri, 0), Scope(None, TYPES))
    (done, _) = maintain(Places(tables.uri, tables.letters_uri))
    assert (done.files_before, done.files_after, tables.content()) == (2, 1, {"a": 0, "b": 0})
