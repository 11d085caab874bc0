from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.support.sample_table import PIPELINE, Tables, day, event_rows, letter_rows, write_rows
from trivium.core.errors import RunError
from trivium.delivery.commit.claims import Runs
from trivium.delivery.dead_letters.batch import reject_files
from trivium.delivery.errors import StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.unit_markers import RunStore, Spent, UnitMarker, decode_marker
from trivium.delivery.storage.storage import Storage
from trivium.engine.breaker import Place, RejectGroup, Signature
from trivium.engine.outcomes import Counts
from trivium.runtimes.batch.job import UnitResult


def _store(tables: Tables, logic: str = "l1") -> RunStore:
    return RunStore(Storage(tables.uri), Storage(tables.letters_uri), logic)


def _marker(tables: Tables, key: str, generation: int) -> UnitMarker:
    writer = reject_files(Storage(tables.letters_uri), key)
    writer.write(letter_rows(["2026-01-01"]))
    files = write_rows(tables.uri, event_rows({key: day(0)}))
    return UnitMarker(key, generation, files, tuple(writer.close()), {"read": 2})


def _spent(tables: Tables) -> Spent:
    return Runs(tables.uri, PIPELINE, tables.snapshot).replaced


def _none(_generation: int) -> bool:
    return False


def test_markers_come_back_as_they_were(tables: Tables):
    marker = _marker(tables, "u1", tables.begin())
    _store(tables).publish(marker)
    assert _store(tables).load(_spent(tables)) == {"u1": marker}


def test_markers_of_another_logic_do_not_count(tables: Tables):
    _store(tables).publish(_marker(tables, "u1", tables.begin()))
    assert _store(tables, "l2").load(_none) == {}


def test_a_killed_run_s_markers_count_until_a_commit_then_they_are_spent(tables: Tables):
    _store(tables).publish(_marker(tables, "u1", tables.begin()))
    resumed = tables.begin()
    found = _store(tables).load(_spent(tables))
    tables.commit(tables.proposal(resumed, found["u1"].files))
    assert tables.content() == {"u1": 0}
    assert _store(tables).load(_spent(tables)) == {}
    assert _store(tables, "l2").clear_spent(_spent(tables)) == 1
    assert Storage(tables.uri).list("_trivium/runs") == []


def test_clearing_keeps_markers_of_a_newer_run(tables: Tables):
    store = _store(tables)
    store.publish(_marker(tables, "old", 1))
    store.publish(_marker(tables, "new", 2))
    assert store.clear_spent(lambda generation: generation == 1) == 1
    assert list(store.load(_none)) == ["new"]


def _remove(uri: str, file: DataFile) -> None:
    Path(uri, file.path).unlink()


def _grow(uri: str, file: DataFile) -> None:
    with Path(uri, file.path).open("ab") as stream:
        stream.write(b"x")


@pytest.mark.parametrize("damage", [_remove, _grow])
@pytest.mark.parametrize("kind", ["files", "rejects"])
def test_a_marker_whose_files_are_not_as_recorded_does_not_count(tables: Tables, damage, kind: str):
    marker = _marker(tables, "u1", 1)
    _store(tables).publish(marker)
    damage(tables.uri if kind == "files" else tables.letters_uri, getattr(marker, kind)[0])
    assert _store(tables).load(_none) == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_what_is_no_marker_is_passed_over(tables: Tables, content: bytes):
    Storage(tables.uri).create("_trivium/runs/l1/broken.json", content)
    assert _store(tables).load(_none) == {}


def test_markers_of_an_earlier_release_do_not_count_and_go(tables: Tables):
    document = msgspec.to_builtins(_marker(tables, "u1", 1))
    del document["format"]
    Storage(tables.uri).create("_trivium/runs/l1/u1.json", json.dumps(document).encode())
    assert _store(tables).load(_none) == {}
    assert _store(tables).clear_spent(_none) == 1


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 201])
def test_names_that_cannot_be_files_are_refused(tables: Tables, name: str):
    with pytest.raises(StorageError, match="cannot name"):
        _store(tables, name)


MARKER_OF_0_2: Final = (
    b'{"files": [{"partition_values": {"_runtime": null, "event_date": "2026-01-01"}, "path": '
    b'"event_date=2026-01-01/a.parquet", "rows": 2, "size": 310, "statistics": "{\\"numRecords\\":2}"}], "format": 2, '
    b'"generation": 5, "key": "u1", "payload": {"counts": {"arrival": {"dropped": 0, "emitted_inputs": 2, '
    b'"emitted_rows": 2, "out_of_window": 0, "read": 3, "rejected": 1}}, "held": {"arrival": ["2026-01-01", null]}, '
    b'"signatures": [{"count": 1, "first": ["a.parquet", 4], "last": ["a.parquet", 4], "sample": "boom", "signature": '
    b'["arrival", "process", "ValueError"]}]}, "rejects": []}'
)
"""The bytes of a marker as the release wrote it whose plain data were no msgspec structs."""


def test_markers_of_the_previous_release_do_not_count_and_go(tables: Tables):
    """They do not say what made each event type."""
    with pytest.raises(ValueError, match="expected a marker of format 3, got 2"):
        decode_marker(MARKER_OF_0_2)
    Storage(tables.uri).create("_trivium/runs/l1/u1.json", MARKER_OF_0_2)
    assert _store(tables).load(_none) == {}
    assert _store(tables).clear_spent(_none) == 1


def test_a_unit_comes_back_from_its_marker_as_it_was():
    file = DataFile("event_date=2026-01-01/a.parquet", {"event_date": "2026-01-01", "_runtime": None}, 2, 310, "{}")
    bad = Signature("arrival", "process", "ValueError")
    result = UnitResult(
        files=(file,),
        counts={"arrival": Counts(read=3, emitted_inputs=2, emitted_rows=2, rejected=1), "gate": Counts(1, 1, 1)},
        signatures=(RejectGroup(bad, 1, Place("a.parquet", 4), Place("a.parquet", 4), "boom"),),
        held={"arrival": frozenset({None, "2026-01-01"}), "gate": frozenset({None})},
    )
    marker = decode_marker(msgspec.json.encode(result.marker("u1", 5, {"arrival": "v1", "gate": "v2"})))
    assert (marker.key, marker.generation, marker.made) == ("u1", 5, {"arrival": "v1", "gate": "v2"})
    assert UnitResult.of_marker(marker) == result
    assert result.without(frozenset({"arrival"})) == UnitResult(
        counts={"gate": Counts(1, 1, 1)}, held={"gate": frozenset({None})}
    )


def test_a_marker_of_no_batch_run_is_named():
    with pytest.raises(RunError, match=r"marker of unit u1 is not a batch run's: .*`int`.*`\$\.counts"):
        UnitResult.of_marker(UnitMarker("u1", 5, (), payload={"counts": {"arrival": {"read": "3"}}}))
