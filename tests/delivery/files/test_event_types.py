"""Event types of files: by the log where it can tell, else by the file; and compaction that keeps them apart."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.proposals import Append
from tests.support.sample_table import Tables, day, event_rows, write_rows
from trivium.delivery.commit import committer
from trivium.delivery.errors import FileMismatch
from trivium.delivery.files.event_types import HeldTypes, type_in, types_in
from trivium.delivery.files.rewrite import EVENTS
from trivium.delivery.maintenance.compaction import compact, small_file_groups
from trivium.delivery.storage.storage import Storage


def _said(low: str | None, high: str | None) -> str:
    return json.dumps({"numRecords": 1, "minValues": {"_event_type": low}, "maxValues": {"_event_type": high}})


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        (_said("a", "a"), "a"),
        (_said("a", "b"), None),
        (_said("t" * 31, "t" * 31), "t" * 31),
        (_said("t" * 32, "t" * 32), None),  # bounds of this length may be cut off
        (_said(None, None), None),
        ('{"numRecords": 1}', None),
        ("", None),
    ],
)
def test_statistics_prove_a_type_only_where_they_hold_it_whole(statistics: str, expected: str | None) -> None:
    assert type_in(statistics) == expected


def _append(tables: Tables, names: dict[str, str], apart: tuple[str, ...] = ("_event_type",)) -> list[str]:
    rows = event_rows(dict.fromkeys(names, day(0)))
    types = pa.array(list(names.values()), pa.string())
    rows = rows.set_column(rows.column_names.index("_event_type"), "_event_type", types)
    files = write_rows(tables.uri, rows, "batch", apart=apart)
    committer.commit(tables.uri, Append(files), tables.clock)
    return [file.path for file in files]


def test_the_log_tells_the_type_of_a_file_that_holds_one_and_the_file_tells_of_others(tables: Tables) -> None:
    (one,) = _append(tables, {"1": "a", "2": "a"})
    (two,) = _append(tables, {"3": "a", "4": "b"}, apart=())
    (long,) = _append(tables, {"5": "t" * 40})
    assert HeldTypes(tables.snapshot).single() == {one: "a"}
    found = [types_in(Storage(tables.uri), path) for path in (one, two, long)]
    assert found == [{"a"}, {"a", "b"}, {"t" * 40}]


def test_a_file_without_the_column_is_named(tables: Tables) -> None:
    pq.write_table(pa.table({"x": [1]}), f"{tables.uri}/foreign.parquet")
    with pytest.raises(FileMismatch, match=r"foreign\.parquet.*expected a column _event_type"):
        types_in(Storage(tables.uri), "foreign.parquet")


def test_compaction_keeps_one_type_a_file_and_takes_mixed_files_apart(tables: Tables) -> None:
    for number in range(2):
        _append(tables, {f"{number}a": "a", f"{number}b": "b"})
        _append(tables, {f"{number}c": "a", f"{number}d": "b"}, apart=())
    groups = small_file_groups(tables.snapshot, EVENTS, lambda _: True)
    assert sorted(len(group.files) for group in groups) == [2, 2, 2]
    compact(tables.uri, EVENTS, groups, tables.clock)
    assert sorted(HeldTypes(tables.snapshot).single().values()) == ["a", "a", "b", "b"]
    assert tables.content() == dict.fromkeys(["0a", "0b", "0c", "0d", "1a", "1b", "1c", "1d"], 0)
