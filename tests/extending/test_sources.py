"""Batch over a Delta table that others write, by version, day and type of column, and over NDJSON."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests
from tests.support.terminal import Trivium
from trivium.config.compile import compile_file
from trivium.config.problems import ConfigError

PROJECT = Path(__file__).parent / "project"
DAYS = ("2026-03-01", "2026-03-02")
TYPED = "{type: delta, path: ../data/visits, event_type: visit, day_column: day}"
RAW = "{type: delta, path: ../data/visits, value_column: value, day_column: day}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = Path(shutil.copytree(PROJECT, tmp_path / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    (root / "data").mkdir()
    with sqlite3.connect(root / "data/shops.sqlite") as database:
        database.execute("CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT, city TEXT)")
        database.execute("INSERT INTO shops VALUES (1, 'Bakery', 'Bern')")
    return root


def visits(root: Path, ids: Mapping[str, str], **written: Any) -> None:
    """Append visits to the warehouse table: days by id."""
    at = [datetime.fromisoformat(day).replace(hour=8, tzinfo=UTC) for day in ids.values()]
    events = [
        json.dumps({"event_type": "visit", "id": each, "at": moment.isoformat(), "shop": 1}).encode()
        for each, moment in zip(ids, at, strict=True)
    ]
    columns = {
        "id": pa.array(list(ids)),
        "at": pa.array(at, pa.timestamp("us", "UTC")),
        "shop": pa.array([1] * len(ids), pa.int32()),
        "value": pa.array(events, pa.binary()),
        "unused": pa.array(["x" * 99] * len(ids)),
        "day": pa.array(list(ids.values())),
    }
    given = {"mode": "append", "partition_by": ["day"], **written}
    deltalake.write_deltalake(str(root / "data/visits"), pa.table(columns), **given)


def configured(root: Path, source: str) -> Path:
    config = root / "configs/visits.yaml"
    lines = [f"  source: {source}" if line.startswith("  source:") else line for line in config.read_text().split("\n")]
    config.write_text("\n".join(lines))
    return config


def run(root: Path, source: str, *arguments: str) -> tuple[int, str]:
    done = Trivium()("run", "batch", str(configured(root, source)), *arguments)
    return done.exit_code, done.output


def ids(root: Path) -> list[str]:
    table = deltalake.DeltaTable(str(root / "data/table"))
    return sorted(table.to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist())


@pytest.mark.parametrize("source", [TYPED, RAW], ids=["typed columns", "a JSON column"])
def test_a_run_reads_one_version_and_names_it(project: Path, source: str, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0], "b": DAYS[1]})
    visits(project, {"c": DAYS[1]})
    planned = Trivium()("plan", str(configured(project, source)))
    assert "version 1 of the table is read" in planned.output
    assert run(project, source.replace("day_column", "version: 0, day_column"))[0] == 0
    assert ids(project) == ["a", "b"]
    assert run(project, source)[0] == 0
    assert ids(project) == ["a", "b", "c"]
    (commit, *_) = deltalake.DeltaTable(str(project / "data/table")).history(1)
    assert commit["source_version"] == "1"


def test_a_day_is_replaced_and_others_stay(project: Path, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0], "b": DAYS[1]})
    assert run(project, TYPED)[0] == 0
    visits(project, {"a2": DAYS[0], "b2": DAYS[1]}, mode="overwrite")
    code, said = run(project, TYPED, "--from", DAYS[1], "--to", "2026-03-03")
    assert code == 0, said
    assert ids(project) == ["a", "b2"]
    deltalake.DeltaTable(str(project / "data/visits")).delete(f"day = '{DAYS[0]}'")
    code, said = run(project, TYPED)
    assert (code, DAYS[0] in said) == (1, True), said
    assert ids(project) == ["a", "b2"]


def test_a_column_may_name_the_day(project: Path, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0]}, partition_by=None)
    visits(project, {"b": DAYS[1]}, partition_by=None)
    code, said = run(project, TYPED, "--from", DAYS[1], "--to", "2026-03-03")
    assert code == 0, said
    assert ids(project) == ["b"]


def test_files_that_the_log_does_not_name_are_not_read(project: Path, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0], "b": DAYS[0]})
    deltalake.DeltaTable(str(project / "data/visits")).delete("id = 'b'")
    assert run(project, TYPED)[0] == 0
    assert ids(project) == ["a"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (TYPED.replace("visits", "nowhere"), "expected a Delta table, found none"),
        (TYPED.replace("day_column", "version: 7, day_column"), "expected version 7, the newest is 0"),
        (TYPED.replace("event_type: visit, ", ""), "column event_type: the event type is read from it and it is"),
        (RAW.replace("value_column: value", "value_column: valu"), "valu"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_before_the_run(project: Path, source: str, said: str, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0]})
    code, output = run(project, source)
    assert code == 1
    assert said in " ".join(output.split())
    assert "bug" not in output


def test_features_of_others_are_refused(project: Path, ray_cluster: str) -> None:
    visits(project, {"a": DAYS[0]}, configuration={"delta.enableDeletionVectors": "true"})
    code, output = run(project, TYPED)
    assert (code, "deletion vectors" in output) == (1, True), output


def test_problems_of_the_file_are_named(project: Path) -> None:
    for source, said in {
        "{type: iceberg, path: ../data/visits}": "got 'iceberg' (one of delta, ndjson, parquet; or module:Class)",
        "{type: delta, path: ../data/visits, verson: 1}": "there is no key verson (did you mean version?)",
        "{type: delta, path: ../data/visits, pattern: x}": "there is no key pattern",
        "{type: delta, path: ../data/visits, version: -1}": "version: Input should be greater than or equal to 0",
    }.items():
        with pytest.raises(ConfigError) as caught:
            compile_file(configured(project, source), {})
        assert said in str(caught.value), caught.value


NDJSON = "{type: ndjson, path: ../data/lines, day_column: day}"


def lines(*ids: str) -> bytes:
    events = ({"event_type": "visit", "id": each, "at": "2026-03-01T08:00:00Z", "shop": 1} for each in ids)
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)


def kept(root: Path, day: str, name: str, data: bytes) -> Path:
    folder = root / f"data/lines/day={day}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_lines_are_run_a_day_at_a_time_and_replaced(project: Path, ray_cluster: str) -> None:
    kept(project, DAYS[0], "a.ndjson", lines("a", "b") + b"\n{torn\n" + lines("c").rstrip())
    kept(project, DAYS[0], "b.jsonl.gz", gzip.compress(lines("d")))
    kept(project, DAYS[0], "c.json.zst", pa.Codec("zstd").compress(lines("e"), asbytes=True))
    kept(project, DAYS[0], "notes.txt", b"not read")
    planned = Trivium()("plan", str(configured(project, NDJSON)))
    assert planned.exit_code == 0, planned.output
    assert "1 file left out, since no NDJSON: day=2026-03-01/notes.txt" in " ".join(planned.output.split())
    code, said = run(project, NDJSON)
    assert code == 0, said
    assert ids(project) == ["a", "b", "c", "d", "e"]
    rejects = deltalake.DeltaTable(str(project / "data/dead_letters")).to_pyarrow_table().to_pylist()
    assert [(each["position"], each["value"]) for each in rejects] == [(3, b"{torn")]
    kept(project, DAYS[0], "a.ndjson", lines("a"))
    code, said = run(project, NDJSON, "--from", DAYS[0], "--to", DAYS[1])
    assert code == 0, said
    assert ids(project) == ["a", "d", "e"]


def test_a_torn_file_of_lines_is_named_before_the_run(project: Path, ray_cluster: str) -> None:
    whole = gzip.compress(lines(*map(str, range(1000))))
    kept(project, DAYS[0], "torn.ndjson.gz", whole[: len(whole) // 2])
    code, said = run(project, NDJSON)
    assert code == 1
    assert "torn.ndjson.gz: expected a whole gzip file" in " ".join(said.split())
