"""Every command on projects, archives, samples and paths that are odd or broken: said in words, never "a bug"."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.terminal import Trivium
from trivium.cli import check
from trivium.devtools.scaffold import new_project

CONFIG = "configs/shop.yaml"
EXECUTOR = "executors/order/executor.py"
SAMPLES = "executors/order/samples.jsonl"
ORDER = b'{"event_type":"order","order_id":"1","placed_at":"2026-01-01T09:30:00Z","customer":"ada","amount":12.5}'
PART = "data/events/day=2026-01-01/part-0.parquet"


def archive(root: Path, table: pa.Table, path: str = PART) -> None:
    shutil.rmtree(root / "data", ignore_errors=True)
    (root / path).parent.mkdir(parents=True)
    pq.write_table(table, root / path)


def write(path: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: _write(root / path, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def folder_at(path: str) -> Callable[[Path], None]:
    return lambda root: _folder_at(root / path)


def _folder_at(path: Path) -> None:
    if path.is_file():
        path.unlink()
    path.mkdir(parents=True)


def gone(path: str) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()


def archive_of(table: pa.Table, path: str = PART) -> Callable[[Path], None]:
    return lambda root: archive(root, table, path)


def value(*values: object, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"value": pa.array(list(values), kind)})


def typed_archive(table: pa.Table) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        config = root / CONFIG
        config.write_text(config.read_text().replace(", value_column: value, day_column: day", ""))
        archive(root, table, "data/events/part-0.parquet")

    return make


def empty_archive(root: Path) -> None:
    shutil.rmtree(root / "data")
    (root / "data/events").mkdir(parents=True)


def no_row_groups(root: Path) -> None:
    shutil.rmtree(root / "data")
    (root / PART).parent.mkdir(parents=True)
    with pq.ParquetWriter(root / PART, pa.schema([("value", pa.binary())])):
        pass


def lookup_of(content: bytes | None) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        config = root / CONFIG
        config.write_text(config.read_text() + "lookups: {x: {type: parquet, path: ../data/x.parquet, key: k}}\n")
        if content is not None:
            (root / "data/x.parquet").write_bytes(content)

    return make


TWICE = pa.table([["order"], ["1"], [5.0], [6.0]], names=["event_type", "order_id", "amount", "amount"])
PROJECTS: Mapping[str, Callable[[Path], None]] = {
    "config gone": gone(CONFIG),
    "config is a folder": folder_at(CONFIG),
    "config is empty": write(CONFIG, b""),
    "config is binary": write(CONFIG, bytes(range(256))),
    "config is a list": write(CONFIG, b"- 1\n"),
    "config of nulls": write(CONFIG, b"pipeline:\nexecutors:\ntable:\ndead_letters:\nbatch:\n"),
    "no executors": gone("executors"),
    "executors is a file": lambda root: (gone("executors")(root), _write(root / "executors", b""))[0],
    "executor gone": gone(EXECUTOR),
    "executor is a folder": folder_at(EXECUTOR),
    "executor is binary": write(EXECUTOR, b"\x00\xff"),
    "executor does not parse": write(EXECUTOR, b"def ("),
    "executor exits": write(EXECUTOR, b"raise SystemExit(3)"),
    "executor recurses": write(EXECUTOR, b"def f():\n    f()\n\n\nf()\n"),
    "executor raises no text": write(EXECUTOR, b"raise ValueError('\\ud800')"),
    "executor is empty": write(EXECUTOR, b""),
    "samples are a folder": folder_at(SAMPLES),
    "samples are binary": write(SAMPLES, bytes(range(256)) * 9),
    "samples of nothing": write(SAMPLES, b"\n\n"),
    "samples of odd lines": write(
        SAMPLES, b'[]\n{}\n{"event":1}\n{"event":null,"rows":[]}\n{"event":{},"rejected":7}\n'
    ),
    "samples with a mark": write(SAMPLES, b'\xef\xbb\xbf{"event":{}}\n'),
    "samples nested deep": write(SAMPLES, b'{"event":' + b"[" * 5_000 + b"]" * 5_000 + b"}\n"),
    "archive gone": gone("data/events"),
    "archive is a file": lambda root: (gone("data/events")(root), _write(root / "data/events", b""))[0],
    "archive is empty": empty_archive,
    "archive is torn": write(PART, b"PAR1 torn"),
    "archive of no bytes": write(PART, b""),
    "archive without row groups": no_row_groups,
    "archive of no rows": archive_of(value(kind=pa.binary())),
    "folder called like a file": folder_at("data/events/day=2026-01-01/x.parquet"),
    "another column": archive_of(pa.table({"values": [ORDER]})),
    "values are numbers": archive_of(value(1, 2)),
    "values are structs": archive_of(value({"a": 1})),
    "values are lists": archive_of(value([ORDER])),
    "values are null": archive_of(value(None, kind=pa.null())),
    "values are text": archive_of(value(ORDER.decode())),
    "values are large": archive_of(value(ORDER, kind=pa.large_binary())),
    "values are views": archive_of(value(ORDER, kind=pa.binary_view())),
    "values are a dictionary": archive_of(pa.table({"value": pa.array([ORDER, ORDER]).dictionary_encode()})),
    "a day that is none": archive_of(value(ORDER), "data/events/day=2026-13-45/part-0.parquet"),
    "a day of nothing": archive_of(value(ORDER), "data/events/day=__HIVE_DEFAULT_PARTITION__/part-0.parquet"),
    "two columns of one name": typed_archive(TWICE),
    "typed columns that are others": typed_archive(pa.table({"event_type": ["order"], "amount": ["five"]})),
    "typed columns of no rows": typed_archive(pa.table({"event_type": pa.array([], pa.string())})),
    "a lookup nobody uses": lookup_of(None),
    "a lookup that is torn": lookup_of(b"PAR1 torn"),
    "table in the archive": lambda root: _edit(root, "../tables/shop,", "../data/events,"),
    "tables is a file": write("tables", b""),
}
COMMANDS = (
    *(("check", CONFIG), ("plan", CONFIG), ("plan", CONFIG, "--from", "2026-01-01", "--to", "2026-01-02")),
    *(("status", CONFIG), ("read", CONFIG), ("dead-letters", "list", CONFIG), ("maintain", CONFIG)),
    *(("parity", CONFIG, "--fast", "--sample", "3"), ("new", "executor", "refund")),
)


def _edit(root: Path, old: str, new: str) -> None:
    config = root / CONFIG
    config.write_text(config.read_text().replace(old, new))


@pytest.mark.parametrize("name", PROJECTS)
def test_no_command_breaks_on_a_project(
    name: str, tmp_path: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_project("shop", tmp_path)
    PROJECTS[name](tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setattr(check, "_breaches", lambda _: {})  # processes of their own, which see nothing of the project
    wrong = {}
    for words in COMMANDS:
        done = trivium(*words)
        if done.exit_code not in (0, 1, 2) or "Traceback" in done.output or "bug in trivium" in done.output:
            wrong[" ".join(words)] = f"{done.exit_code}: {done.output}"
    assert not wrong


@pytest.mark.parametrize(
    "words",
    [
        ("parity", CONFIG, "--fast", "--input", "."),
        ("parity", CONFIG, "--fast", "--input", "binary"),
        ("parity", CONFIG, "--fast", "--input", "none"),
        ("parity", CONFIG, "--fast", "--sample", "1", "--html", "none/page.html"),
        ("parity", CONFIG, "--fast", "--sample", "1", "--html", "."),
        ("check", "."),
        ("plan", "/dev/null"),
        ("status", ""),
        ("read", ""),
        ("dead-letters", "show", CONFIG, ""),
        ("dead-letters", "list", "/dev/null"),
        ("maintain", "binary"),
        ("retire", "binary", "order"),
        ("retire", CONFIG, ""),
        ("run", "batch", "."),
        ("run", "batch", "binary"),
        ("run", "streaming", CONFIG),
        ("run", "serving", "."),
        ("run", "batch", CONFIG, "--from", "0001-01-01", "--to", "9999-12-31"),
        ("run", "batch", CONFIG, "--from", "2026-01-02", "--to", "2026-01-01"),
        ("reset-positions", CONFIG),
        ("kafka", "status", "--folder", "binary"),
        ("kafka", "down", "--folder", "none"),
        ("new", "project", "shop"),
        ("new", "executor", "refund", "--config", "."),
        ("new", "executor", "refund", "--config", "binary"),
        ("new", "executor", "refund", "--config", "none.yaml"),
    ],
)
def test_a_path_that_is_another_thing_is_said(
    words: tuple[str, ...], tmp_path: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_project("shop", tmp_path)
    monkeypatch.chdir(tmp_path / "shop")
    Path("binary").write_bytes(bytes(range(256)))
    if words[:2] == ("new", "project"):
        monkeypatch.chdir(tmp_path)
    done = trivium(*words)
    fine = words[0] == "kafka" or words[-2:] == ("--input", "binary")  # any bytes are records that may be compared
    assert done.exit_code in (1, 2) or fine, done.output
    assert "Traceback" not in done.output
    assert "bug in trivium" not in done.output
