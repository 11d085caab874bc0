"""Facts shared by the processes of a node: one copy, whole or none, removed when nobody uses it."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.facts_process import FactsProcess
from tests.support.processes import until
from tests.support.shelf_lookup import day, halls, halls_at, opened
from trivium.connectors.facts import lookup as over_files
from trivium.connectors.facts import node
from trivium.testing import ManualClock
from trivium.types.spec import UTC_MICROSECONDS

ROWS = 150_000


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "node"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"code": ["A"], "hall": ["small"]}), tmp_path / "small.parquet")
    return put(tmp_path / "a.parquet", "first")


def put(path: Path, word: str) -> Path:
    table = pa.table({"code": [f"c{n}" for n in range(ROWS)], "hall": [f"{word} {n:0100}" for n in range(ROWS)]})
    pq.write_table(table, path)
    return path


def hall(word: str, number: int) -> str:
    return f"{word} {number:0100}"


def folders(temporary: Path) -> list[str]:
    return sorted(path.name for path in temporary.glob("trivium-facts-*/*") if path.is_dir())


def test_several_processes_have_one_copy(file: Path, temporary: Path) -> None:
    processes = [FactsProcess(file, temporary) for _ in range(3)]
    found = [each.opened() for each in processes]
    size = ROWS * 115
    assert [each["private"] for each in found] == [False] * 3
    assert sorted(each["grown"] for each in found)[1] < size / 3, "at most the one that built it took memory"
    assert len(folders(temporary)) == 1
    for each in processes:
        assert each.halls("c0", "c149999", "c150000") == [hall("first", 0), hall("first", 149999), None]
        each.end()
    assert len(folders(temporary)) == 1
    node.clean()
    assert folders(temporary) == []
    assert [path.name for path in temporary.glob("trivium-facts-*/*")] == []


def test_a_small_table_and_one_that_finds_no_place_are_the_processes_own(file: Path, temporary: Path) -> None:
    small = opened(file.with_name("small.parquet"))
    assert halls(small, ["A"]) == ["small"]
    assert folders(temporary) == []
    (temporary / f"trivium-facts-{os.geteuid()}").mkdir(mode=0o755)
    assert halls(opened(file), ["c7"]) == [hall("first", 7)]
    assert folders(temporary) == []


def test_a_refresh_moves_to_the_new_table_and_the_old_one_goes(file: Path, temporary: Path) -> None:
    clock = ManualClock()
    one, other = (opened(file, clock=clock, refresh_seconds=60.0) for _ in range(2))
    first = folders(temporary)
    assert len(first) == 1
    rows = one.load()[1].rows
    put(file, "second")
    clock.seconds = 61.0
    for each in (one, other):
        until(lambda lookup=each: halls(lookup, ["c5"]) == [hall("second", 5)], "the new file answers", 60)
    until(lambda: len(folders(temporary)) == 1 and folders(temporary) != first, "the old one is gone", 60)
    assert rows.column("hall")[0].as_py().startswith("first"), "what was handed out stays readable"


def test_tables_of_other_columns_or_files_are_others(file: Path, temporary: Path) -> None:
    held = [opened(file), opened(file, key="hall"), opened(file, pinned=True)]
    assert len(folders(temporary)) == 2
    assert halls(held[1], [hall("first", 3)]) == [hall("first", 3)]


@pytest.mark.parametrize("kind", ["text", "number", "pair", "times"])
def test_a_mapped_table_answers_as_one_in_memory(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 5_000
    numbers = np.random.default_rng(1).permutation(count)
    columns: dict[str, Any] = {"n": numbers, "code": [f"c{n}" for n in numbers], "hall": [f"h{n}" for n in numbers]}
    section: dict[str, Any] = {"key": {"number": "n", "pair": ["n", "code"]}.get(kind, "code")}
    key_type = {"number": pa.int64(), "pair": pa.struct([("x", pa.int64()), ("y", pa.string())])}.get(kind, pa.string())
    keys: list[Any] = [f"c{n}" for n in range(-10, count)]
    if kind == "number":
        keys = list(range(-10, count))
    if kind == "pair":
        keys = [{"x": n, "y": f"c{n}"} for n in range(-10, count)]
    if kind == "times":
        columns["code"] = [f"c{n % 100}" for n in numbers]
        columns["since"] = pa.array([day(1).timestamp() * 1_000_000 + n // 100 for n in numbers], pa.int64()).cast(
            UTC_MICROSECONDS
        )
        section |= {"valid_from": "since", "as_of": True}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    own = opened(path, key_type, **section)
    monkeypatch.setattr(node, "_LEAST_BYTES", 0)
    monkeypatch.setattr(over_files, "_SHARED_FROM", 0)
    mapped = opened(path, key_type, **section)
    assert mapped.load()[1].lease is not None
    if kind == "times":
        moments = [day(1).replace(microsecond=n % 60) for n in range(len(keys))]
        assert halls_at(mapped, keys, moments) == halls_at(own, keys, moments)
        assert halls_at(mapped, ["c7"], [day(1).replace(microsecond=2)]) == ["h207"]
    else:
        found = halls(mapped, keys, key_type)
        assert found == [None] * 10 + [f"h{n}" for n in range(count)]


@pytest.mark.faults
def test_a_maker_that_is_killed_leaves_nothing_that_is_used(file: Path, temporary: Path) -> None:
    killed = FactsProcess(file, temporary, TRIVIUM_FAULT_POINT="facts.before_share")
    assert killed.process.wait(60) == -signal.SIGKILL
    left = folders(temporary)
    assert len(left) == 1
    assert left[0].startswith("making-")
    assert halls(opened(file), ["c7"]) == [hall("first", 7)]
    assert len(folders(temporary)) <= 1
    assert left[0] not in folders(temporary)


@pytest.mark.faults
def test_whoever_waits_for_a_maker_that_is_killed_makes_the_table(file: Path, temporary: Path) -> None:
    once = temporary / "once"
    processes = [FactsProcess(file, temporary, TRIVIUM_FAULT_POINT=f"facts.before_share:once={once}") for _ in range(3)]
    until(lambda: sum(each.process.poll() is not None for each in processes) == 1, "one is killed", 60)
    alive = [each for each in processes if each.process.poll() is None]
    for each in alive:
        assert each.opened()["private"] is False
        assert each.halls("c1") == [hall("first", 1)]
        each.end()
