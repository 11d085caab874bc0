from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.sample_table import Tables, day
from trivium.delivery.log_check import set_aside_torn_entries


def _newest(tables: Tables) -> Path:
    return max(Path(tables.uri, "_delta_log").glob("*.json"))


def _cut_between_lines(content: bytes) -> bytes:
    return b"\n".join(content.splitlines()[:-1]) + b"\n"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda _: b"", "is empty"),
        (lambda content: content[: len(content) // 2], "cut off within a line"),
        (_cut_between_lines, "cut off between lines"),
    ],
    ids=["empty", "within a line", "between lines"],
)
def test_a_damaged_newest_entry_is_moved_aside_and_said(tables: Tables, caplog, damage, says: str):
    tables.run({"a": day(0)})
    before = tables.snapshot.version
    tables.run({"a": day(0), "b": day(0)})
    entry = _newest(tables)
    entry.write_bytes(damage(entry.read_bytes()))
    (moved,) = set_aside_torn_entries(tables.uri)
    assert says in caplog.text
    assert Path(tables.uri, moved).exists()
    assert tables.snapshot.version == before + 1  # the second run's generation; its commit is gone whole
    assert tables.content() == {"a": 0}


def test_several_damaged_entries_go_one_by_one(tables: Tables):
    tables.run({"a": day(0)})
    whole = tables.snapshot.version
    tables.run({"b": day(0)})
    for entry in sorted(Path(tables.uri, "_delta_log").glob("*.json"))[-2:]:
        entry.write_bytes(b"")
    assert len(set_aside_torn_entries(tables.uri)) == 2
    assert tables.snapshot.version == whole


def test_the_table_goes_on_after_an_entry_was_moved_aside(tables: Tables):
    tables.run({"a": day(0)})
    _newest(tables).write_bytes(b"")
    set_aside_torn_entries(tables.uri)
    tables.run({"c": day(0)})
    assert tables.content() == {"c": 0}


def test_a_whole_log_is_left_alone(tables: Tables):
    tables.run({"a": day(0)})
    assert set_aside_torn_entries(tables.uri) == []


def test_an_entry_a_checkpoint_covers_is_left_alone(tables: Tables):
    tables.run({"a": day(0)})
    tables.snapshot.table.create_checkpoint()
    _newest(tables).write_bytes(b"")
    assert set_aside_torn_entries(tables.uri) == []
    assert tables.content() == {"a": 0}
