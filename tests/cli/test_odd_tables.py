"""Every command on tables that are odd, broken or not there: an answer or a message, never a traceback or "a bug"."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from tests.support.odd_tables import BEYOND_DELTALAKE, BROKEN, COLUMNS, DAMAGED, FOREIGN, LONGEST, pipeline_table
from tests.support.terminal import Trivium
from trivium.devtools.scaffold import new_project

PLACES = {**BROKEN, **FOREIGN, **DAMAGED}
BY_PATH = (
    *(("read",), ("read", "--limit", "1"), ("read", "--sql", "duckdb"), ("read", "--output", "rows.csv")),
    *(("read", "--version", "7"), ("read", "--as-of", "0001-01-01"), ("read", "--as-of", "9999-12-31T23:59:59Z")),
    *(("dead-letters", "list"), ("dead-letters", "show"), ("maintain", "--dry-run"), ("maintain",)),
)
BY_CONFIG = (("status",), ("status", "--format", "json"), ("plan",), ("read",), ("dead-letters", "list"), ("maintain",))


def well_told(done: Result) -> bool:
    """Return whether a refusal is one: no success, no traceback, no "bug", and a hint."""
    said = done.output
    return done.exit_code in (1, 2) and "Traceback" not in said and "bug in trivium" not in said and "Try: " in said


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind of place, with a project beside it whose table and dead letters are there."""
    root = tmp_path_factory.mktemp("odd")
    new_project("shop", root)
    for name, make in PLACES.items():
        folder = root / name.replace(" ", "-") / "tables"
        folder.parent.mkdir()
        if name != "below a file":
            folder.mkdir()
        make(folder / "shop")
    return root


@pytest.fixture
def place(request: pytest.FixtureRequest, places: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path where the table would be, in a copy, next to a project that names it."""
    folder = tmp_path / "shop"
    shutil.copytree(places / "shop", folder)
    shutil.copytree(places / request.param.replace(" ", "-"), folder, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder / "tables" / "shop"


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_no_command_breaks_on_a_table_that_is_none(place: Path, trivium: Trivium) -> None:
    asked = [(*command[:1], *_sub(command), str(place), *_rest(command)) for command in BY_PATH]
    asked += [(*command[:1], *_sub(command), "configs/shop.yaml", *_rest(command)) for command in BY_CONFIG]
    wrong = {
        " ".join(words): done.output
        for words in asked
        if not well_told(done := trivium(*words)) and not _fine(words, done)
    }
    assert not wrong


def _sub(command: tuple[str, ...]) -> tuple[str, ...]:
    return command[1:2] if command[0] == "dead-letters" else ()


def _rest(command: tuple[str, ...]) -> tuple[str, ...]:
    at = 2 if command[0] == "dead-letters" else 1
    return (*command[at:], *(("s:0",) if command[1:2] == ("show",) else ()))


def _fine(words: tuple[str, ...], done: Result) -> bool:
    """Return whether a command may succeed: it looks at the log alone, or a plan says that there is no table yet."""
    if done.exit_code or "Traceback" in done.output:
        return done.exit_code == 1 and words[0] == "plan" and "CONFLICT" in done.output
    return words[0] in ("plan", "status", "maintain") or "--sql" in words or "0001-01-01" in words


@pytest.mark.parametrize("name", BEYOND_DELTALAKE)
def test_a_value_that_deltalake_cannot_read_is_said(name: str, tmp_path: Path, trivium: Trivium) -> None:
    pipeline_table(tmp_path / "shop", COLUMNS[name], name)
    assert well_told(trivium("read", str(tmp_path / "shop")))


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in BEYOND_DELTALAKE])
def test_every_value_is_read_in_every_form(name: str, tmp_path: Path, trivium: Trivium) -> None:
    table = tmp_path / "shop"
    pipeline_table(table, COLUMNS[name], name)
    shown = trivium("read", str(table))
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.output
    for ending in ("parquet", "csv", "json"):
        done = trivium("read", str(table), "--output", str(tmp_path / f"rows.{ending}"))
        assert done.exit_code == 0, done.output
    (row,) = (tmp_path / "rows.json").read_text().splitlines()
    assert name in json.loads(row)
    assert pq.read_table(tmp_path / "rows.parquet").num_rows == 1


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("decimal", LONGEST),
        ("small_decimal", "0.000000000000000000"),
        ("decimals", [LONGEST, None]),
        ("priced", {"price": LONGEST, "at": "2026-01-01T00:00:00Z"}),
        ("prices", {"a": LONGEST}),
        ("days_by_name", {"a": ["0001-01-01"]}),
        ("bytes", "AP89MQ=="),
        ("byte_lists", ["/w=="]),
        ("not_a_number", "nan"),
        ("infinite", ["-inf"]),
        ("first_day", "0001-01-01"),
        ("old_time", "0012-03-04T00:00:00Z"),
        ("time_after_9999", "57876-01-24T20:00:00.000000Z"),
        ("times_after_9999", ["57876-01-24T20:00:00.000000Z"]),
        ("local_time", "2026-01-01T00:00:00"),
        ("local_times", {"at": "2026-01-01T00:00:00"}),
        ("large_integer", 2**63 - 1),
        ("optional_struct", None),
    ],
)
def test_a_value_has_one_plain_form(name: str, plain: object, tmp_path: Path, trivium: Trivium) -> None:
    pipeline_table(tmp_path / "shop", COLUMNS[name], name)
    done = trivium("read", str(tmp_path / "shop"), "--output", str(tmp_path / "rows.json"))
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "rows.json").read_text())[name] == plain


def test_formulas_are_defused_where_it_is_asked_for(tmp_path: Path, trivium: Trivium) -> None:
    pipeline_table(tmp_path / "shop", COLUMNS["formula"], "formula")
    output = tmp_path / "rows.csv"
    for options, cell in (((), '"=1+1"'), (("--defuse",), '"\'=1+1"')):
        assert trivium("read", str(tmp_path / "shop"), "--output", str(output), *options).exit_code == 0
        assert cell in output.read_text()
    assert trivium("read", str(tmp_path / "shop"), "--output", "rows.json", "--defuse").exit_code == 2


ODD_PATHS = (
    *("http://host/table", "gs://bucket/table", "s3://", "hdfs://host/x", "x" * 300),
    *("a\0b", "a\nb", "a[b]", "a|b", "a^b", "a\\b", "a%20b"),
)


@pytest.mark.parametrize("uri", ODD_PATHS)
def test_a_path_that_can_be_no_table_is_refused(uri: str, trivium: Trivium) -> None:
    assert well_told(trivium("read", uri))
