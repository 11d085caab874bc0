from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import polars
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.support.power_cut_story import forget
from tests.support.sample_table import Tables, day
from trivium.delivery.delta.checkpoint_write import write_checkpoint
from trivium.delivery.delta.log_check import check_log
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import LogBroken, StorageError

Damage = Callable[[bytes], bytes]


def _log(tables: Tables) -> Path:
    return Path(tables.uri, "_delta_log")


def _entries(tables: Tables) -> list[Path]:
    return sorted(_log(tables).glob("*.json"))


def _cut_between_lines(content: bytes) -> bytes:
    return b"\n".join(content.splitlines()[:-1]) + b"\n"


def _without_mark(entry: Path) -> None:
    """As a writer leaves it that does not say how far the log was durable."""
    entry.write_text(entry.read_text().replace("trivium_durable_up_to", "other"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda _: b"", "is empty"),
        (lambda content: content[: len(content) // 2], "cut off within a line"),
        (_cut_between_lines, "cut off between lines"),
        (lambda content: bytes(len(content)), "cut off within a line"),
    ],
    ids=["empty", "within a line", "between lines", "zeros"],
)
def test_a_damaged_newest_entry_is_moved_aside_and_said(tables: Tables, caplog, damage: Damage, says: str):
    tables.run({"a": day(0)})
    before = tables.snapshot.version
    tables.run({"a": day(0), "b": day(0)})
    entry = _entries(tables)[-1]
    entry.write_bytes(damage(entry.read_bytes()))
    (moved,) = check_log(tables.uri)
    assert says in caplog.text
    assert f"the commits from version {before + 2} on are gone, whole" in caplog.text
    assert len(caplog.records) == 1
    assert Path(tables.uri, moved).exists()
    assert tables.snapshot.version == before + 1  # the second run's generation; its commit is gone whole
    assert tables.content() == {"a": 0}


def test_several_damaged_entries_are_moved(tables: Tables):
    tables.run({"a": day(0)})
    whole = tables.snapshot.version
    tables.run({"b": day(0)})
    for entry in _entries(tables)[-2:]:
        entry.write_bytes(b"")
    assert len(check_log(tables.uri)) == 2
    assert tables.snapshot.version == whole


def test_nothing_after_a_torn_entry_stays(tables: Tables):
    """Of commits whose writers synced nothing, a later one may be whole where an earlier one is not."""
    tables.run({"a": day(0)})
    whole = tables.snapshot.version
    tables.run({"b": day(0)})
    torn, newest = _entries(tables)[-2:]
    _without_mark(newest)
    torn.write_bytes(b"")
    moved = check_log(tables.uri)
    assert any(newest.stem in path for path in moved)
    assert tables.snapshot.version == whole
    assert tables.content() == {"a": 0}


def test_a_missing_entry_with_whole_ones_after_it_is_no_cut_s_work(tables: Tables):
    tables.run({"a": day(0)})
    missing, newest = _entries(tables)[-2:]
    _without_mark(newest)
    missing.unlink()
    with pytest.raises(LogBroken, match="but 1 cannot be read"):
        check_log(tables.uri)
    assert newest.exists()


def test_the_table_goes_on_after_an_entry_was_moved_aside(tables: Tables):
    tables.run({"a": day(0)})
    _entries(tables)[-1].write_bytes(b"")
    check_log(tables.uri)
    tables.run({"c": day(0)})
    assert tables.content() == {"c": 0}


def test_a_whole_log_is_left_alone(tables: Tables):
    tables.run({"a": day(0)})
    assert check_log(tables.uri) == []


def test_an_entry_a_checkpoint_covers_is_left_alone(tables: Tables):
    tables.run({"a": day(0)})
    tables.snapshot.table.create_checkpoint()
    _entries(tables)[-1].write_bytes(b"")
    assert check_log(tables.uri) == []
    assert tables.content() == {"a": 0}


def test_only_entries_after_the_newest_mark_are_read(tables: Tables, monkeypatch: pytest.MonkeyPatch):
    for number in range(4):
        tables.run({f"a{number}": day(number)})
    read: list[Path] = []
    real = Path.read_bytes

    def reading(path: Path) -> bytes:
        read.append(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", reading)
    assert check_log(tables.uri) == []
    assert [path for path in read if path.suffix == ".json"] == _entries(tables)[-1:]


@pytest.mark.parametrize("damage", [lambda entry: entry.write_bytes(b"{"), Path.unlink], ids=["torn", "missing"])
def test_a_durable_entry_that_is_damaged_is_named_and_nothing_is_moved(
    tables: Tables, damage: Callable[[Path], object]
):
    tables.run({"a": day(0)})
    tables.run({"b": day(0)})
    damage(_entries(tables)[1])
    names = sorted(os.listdir(_log(tables)))
    forget()
    with pytest.raises(LogBroken, match=r"expected every log entry from 0 on.*but 1 cannot be read.*Try: restore"):
        Snapshot.latest(tables.uri)
    assert sorted(os.listdir(_log(tables))) == names


def test_what_followed_a_torn_entry_for_an_hour_is_not_taken_back(tables: Tables):
    tables.run({"a": day(0)})
    for entry in _entries(tables):
        _without_mark(entry)
    torn = _entries(tables)[1]
    torn.write_bytes(b"")
    then = time.time() - 7200
    os.utime(torn, (then, then))
    with pytest.raises(LogBroken, match="but 1 cannot be read"):
        check_log(tables.uri)


def _checkpointed(tables: Tables, write: Callable[[Tables], None]) -> Path:
    """Two runs, a checkpoint after the first of them; returns it."""
    tables.run({"a": day(0)})
    write(tables)
    tables.run({"b": day(1)}, delay=1)
    (found,) = _log(tables).glob("*.checkpoint.parquet")
    forget()
    return found


def _by_another_engine(tables: Tables) -> None:
    DeltaTable(tables.uri).create_checkpoint()


def _by_us(tables: Tables) -> None:
    write_checkpoint(tables.uri, tables.snapshot)


def _other_actions(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 1), path)


TEARS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros at the end": lambda path: path.write_bytes(path.read_bytes()[:-4096] + bytes(4096)),
    "zeros within": lambda path: path.write_bytes(bytes(4) + bytes(4096) + path.read_bytes()[4100:]),
    "no Parquet": lambda path: path.write_text("{}"),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
@pytest.mark.parametrize("write", [_by_another_engine, _by_us])
def test_a_torn_checkpoint_is_moved_aside_and_the_log_is_read(
    tables: Tables, caplog, write: Callable[[Tables], None], tear: Callable[[Path], object]
):
    path = _checkpointed(tables, write)
    tear(path)
    left = path.read_bytes() if path.exists() else None
    assert tables.content() == {"b": 1}
    assert len(caplog.records) == 1
    assert "moved aside" in caplog.text
    assert "the log is read instead" in caplog.text
    kept = [aside.read_bytes() for aside in _log(tables).glob("torn-*.checkpoint.parquet")]
    assert kept == ([] if left is None else [left])
    assert not (_log(tables) / "_last_checkpoint").exists()
    tables.run({"c": day(2)})
    assert tables.content() == {"c": 0}


def test_one_that_holds_other_actions_than_its_hint_says_is_torn(tables: Tables):
    path = _checkpointed(tables, _by_another_engine)
    hint = _log(tables) / "_last_checkpoint"
    _other_actions(path)
    said = json.loads(hint.read_text())
    del said["sizeInBytes"]
    hint.write_text(json.dumps(said))
    assert len(check_log(tables.uri)) == 2
    assert tables.content() == {"b": 1}


@pytest.mark.parametrize(
    "hint", ["", "{", "[1]", "7", '{"version": "4"}', '{"size": 3}', '{"version": 99, "size": 3}', "\0\0\0\0"]
)
def test_a_hint_that_leads_nowhere_is_moved_aside(tables: Tables, caplog, hint: str):
    _checkpointed(tables, _by_us)
    (_log(tables) / "_last_checkpoint").write_text(hint)
    assert tables.content() == {"b": 1}
    assert len(caplog.records) == 1
    assert [aside.read_text() for aside in _log(tables).glob("torn-*")] == [hint]


def _in_parts(path: Path, parts: int) -> list[Path]:
    """Another engine's checkpoint in parts, and its hint, in the place of one of a single file."""
    rows, names = pq.read_table(path), []
    step = -(-rows.num_rows // parts)
    for number in range(parts):
        stem = path.name.removesuffix(".parquet")
        names.append(path.with_name(f"{stem}.{number + 1:010}.{parts:010}.parquet"))
        pq.write_table(rows.slice(number * step, step), names[-1])
    hint = {"version": int(path.name[:20]), "size": rows.num_rows, "parts": parts}
    path.with_name("_last_checkpoint").write_text(json.dumps(hint))
    path.unlink()
    return names


def test_a_checkpoint_in_parts_is_read(tables: Tables):
    _in_parts(_checkpointed(tables, _by_another_engine), 2)
    assert check_log(tables.uri) == []
    assert tables.content() == {"b": 1}


@pytest.mark.parametrize("tear", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["missing", "empty"])
def test_a_checkpoint_with_a_part_missing_or_torn_is_moved_aside_whole(tables: Tables, tear: Callable[[Path], object]):
    first, second = _in_parts(_checkpointed(tables, _by_another_engine), 2)
    tear(second)
    assert tables.content() == {"b": 1}
    assert not first.exists()


def test_a_checkpoint_whose_parts_are_still_being_written_is_left_alone(tables: Tables):
    first, second = _in_parts(_checkpointed(tables, _by_another_engine), 2)
    second.unlink()
    (_log(tables) / "_last_checkpoint").unlink()
    assert check_log(tables.uri) == []
    assert first.exists()
    assert tables.content() == {"b": 1}


def test_an_older_checkpoint_is_used_when_the_newest_is_torn(tables: Tables):
    _checkpointed(tables, _by_us)
    older = Snapshot.latest(tables.uri).version - 2
    for entry in _entries(tables)[: older + 1]:
        entry.unlink()
    write_checkpoint(tables.uri, tables.snapshot)
    newest = max(_log(tables).glob("*.checkpoint.parquet"))
    newest.write_bytes(b"")
    forget()
    assert tables.content() == {"b": 1}
    assert len(list(_log(tables).glob("[0-9]*.checkpoint.parquet"))) == 1


def test_an_older_checkpoint_that_is_torn_is_found_by_time_travel(tables: Tables):
    path = _checkpointed(tables, _by_us)
    write_checkpoint(tables.uri, tables.snapshot)
    path.write_bytes(b"PAR1")
    then = Snapshot.at(tables.uri, int(path.name[:20])).table
    assert then.to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist() == ["a"]


def test_without_the_entries_the_error_says_what_is_missing_and_nothing_is_moved(tables: Tables):
    path = _checkpointed(tables, _by_us)
    for entry in _entries(tables)[:2]:
        entry.unlink()
    path.write_bytes(path.read_bytes()[:99])
    names = sorted(os.listdir(_log(tables)))
    says = r"checkpoint 2 is torn, and expected every log entry from 0 on .*but 0 to 1 cannot be read.*Try: restore"
    for _ in range(2):
        with pytest.raises(LogBroken, match=says):
            tables.content()
    assert sorted(os.listdir(_log(tables))) == names


def test_a_checkpoint_alone_is_no_log(tables: Tables):
    path = _checkpointed(tables, _by_us)
    for entry in _entries(tables):
        entry.unlink()
    path.write_bytes(b"")
    with pytest.raises(LogBroken, match="no whole checkpoint"):
        tables.content()


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make storage read-only when called."""

    def refuse(_path: Path, _target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    return lambda: monkeypatch.setattr(Path, "replace", refuse)


def test_storage_that_cannot_be_written_names_the_command_to_run(tables: Tables, read_only: Callable[[], None]):
    _checkpointed(tables, _by_us).write_bytes(b"")
    read_only()
    with pytest.raises(StorageError, match=rf"to be moved aside.*Try: trivium maintain {tables.uri}, where"):
        tables.content()


def test_a_torn_entry_is_not_read_from_storage_that_cannot_be_written(tables: Tables, read_only: Callable[[], None]):
    """Cut between lines it would be read as half a commit."""
    tables.run({"a": day(0)})
    entry = _entries(tables)[-1]
    entry.write_bytes(_cut_between_lines(entry.read_bytes()))
    read_only()
    forget()
    with pytest.raises(StorageError, match=r"cut off between lines.*Try: trivium maintain"):
        tables.content()


def test_what_readers_get_along_with_is_only_said_where_storage_cannot_be_written(
    tables: Tables, caplog, read_only: Callable[[], None]
):
    _checkpointed(tables, _by_us)
    (_log(tables) / "_last_checkpoint").write_text("{")
    read_only()
    assert tables.content() == {"b": 1}
    assert "Try: trivium maintain" in caplog.text
    assert len(caplog.records) == 1


def test_a_table_made_anew_is_looked_at_anew(tables: Tables, tmp_path: Path):
    tables.run({"a": day(0)})
    shutil.rmtree(tables.uri)
    again = Tables(tmp_path)
    again.run({"b": day(0)})
    assert again.content() == {"b": 0}


def test_readers_follow_our_hint(tables: Tables):
    _checkpointed(tables, _by_us)
    for entry in _entries(tables)[:2]:
        entry.unlink()  # so that the checkpoint is needed
    assert DeltaTable(tables.uri).to_pyarrow_table().num_rows == 1
    assert polars.scan_delta(tables.uri).collect().height == 1
