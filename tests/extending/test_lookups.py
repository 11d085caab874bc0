"""Lookups of one's own: a class of the project and an installed one, from the pipeline file to the rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests
from tests.support.terminal import Trivium
from trivium.config import plugins
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.testing import assert_lookup_compliance

PROJECT = Path(__file__).parent / "project"
CSV = 'id,name,city,unused\n1,Bakery,Bern,x\n2,"Books, old",,y\n'
ENTRY = "[trivium.lookups]\nsqlite = installed_lookups.sqlite:SqliteLookup\n"


def test_the_page_shows_the_lookup_that_is_tested(repository: Path) -> None:
    assert (PROJECT / "lookups/sqlite.py").read_text().strip() in (repository / "docs/extending.md").read_text()


@pytest.fixture(autouse=True)
def forget_lookups() -> Iterator[None]:
    """Forget the lookups of the project and the installed ones, so that each test imports its own."""
    plugins.installed.cache_clear()
    path = list(sys.path)
    yield
    sys.path[:] = path
    plugins.installed.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lookups", "installed_lookups")]:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = Path(shutil.copytree(PROJECT, tmp_path / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    (root / "data/visits").mkdir(parents=True)
    with sqlite3.connect(root / "data/shops.sqlite") as database:
        database.execute("CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT, city TEXT)")
        database.executemany("INSERT INTO shops VALUES (?, ?, ?)", [(1, "Bakery", "Bern"), (2, "Books, old", None)])
    (root / "data/shops.csv").write_text(CSV)
    visits = [
        {"event_type": "visit", "id": str(shop), "at": "2026-03-01T08:00:00Z", "shop": shop} for shop in (1, 2, 3)
    ]
    values = pa.array([json.dumps(each).encode() for each in visits], pa.binary())
    pq.write_table(pa.table({"value": values}), root / "data/visits/part-0.parquet")
    return root


def compiled(root: Path, lookup: str | None = None) -> Pipeline:
    config = root / "configs/visits.yaml"
    if lookup is not None:
        lines = [
            f"  shops: {lookup}" if line.startswith("  shops:") else line for line in config.read_text().split("\n")
        ]
        config.write_text("\n".join(lines))
    return compile_file(config, {"SECRET": "hush-hush"}, runtime=None)


def problems(root: Path, lookup: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compiled(root, lookup)
    return [str(each).partition(".yaml:")[2] for each in caught.value.problems]


EXPECTED: list[dict[str, Any]] = [
    {"event_id": "1", "shop_name": "Bakery", "city": "Bern"},
    {"event_id": "2", "shop_name": "Books, old", "city": None},
    {"event_id": "3", "shop_name": None, "city": None},
]


@pytest.mark.parametrize(
    "lookup",
    [None, "{type: csv, path: ../data/shops.csv, key: id}"],
    ids=["a class of the project", "CSV"],
)
def test_a_batch_run_gets_its_facts(project: Path, lookup: str | None, ray_cluster: str) -> None:
    compiled(project, lookup)
    done = Trivium()("run", "batch", str(project / "configs/visits.yaml"))
    assert done.exit_code == 0, done.output
    table = deltalake.DeltaTable(str(project / "data/table"))
    rows = table.to_pyarrow_table(columns=list(EXPECTED[0])).sort_by("event_id").to_pylist()
    assert rows == EXPECTED


def test_check_and_plan_show_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    checked = Trivium()("check", "--connect", "configs/visits.yaml")
    assert checked.exit_code == 0, checked.output
    planned = Trivium()("plan", "configs/visits.yaml")
    assert "lookups.sqlite:SqliteLookup" in planned.stdout


def test_both_comply(project: Path) -> None:
    for lookup in (None, "{type: csv, path: ../data/shops.csv, key: id}"):
        clock = SystemClock()
        opened = open_lookup(compiled(project, lookup).lookups["shops"], clock)
        assert_lookup_compliance(opened, pa.array([1, 2], pa.int64()), unknown=[3], clock=clock)


def test_an_installed_lookup_is_found_by_its_name(project: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(PROJECT / "lookups", site / "installed_lookups")
    (site / "installed_lookups-1.0.dist-info").mkdir()
    (site / "installed_lookups-1.0.dist-info/METADATA").write_text("Name: installed-lookups\nVersion: 1.0\n")
    (site / "installed_lookups-1.0.dist-info/entry_points.txt").write_text(ENTRY)
    sys.path.insert(0, str(site))
    pipeline = compiled(project, "{type: sqlite, path: ../data/shops.sqlite, table: shops, key: id}")
    clock = SystemClock()
    assert_lookup_compliance(open_lookup(pipeline.lookups["shops"], clock), pa.array([1, 2], pa.int64()), unknown=[3])
    near = problems(project, "{type: sqlit, path: ../data/shops.sqlite, table: shops, key: id}")
    assert near == ["5:17: unknown-value: expected a lookup type, got 'sqlit' (did you mean sqlite?; or module:Class)"]


SQLITE = '{type: "lookups.sqlite:SqliteLookup", path: ../data/shops.sqlite, table: shops, key: id'


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("{type: oracle}", "5:17: unknown-value: expected a lookup type, got 'oracle' (one of csv, "),
        ('{type: "lookups.none:X"}', "5:17: unknown-value: lookups.none:X cannot be imported: ModuleNotFoundError: "),
        ('{type: "json:JSONDecoder"}', "5:17: unknown-value: the lookup json:JSONDecoder has no Settings of "),
        ('{type: "json:dumps"}', "5:17: unknown-value: json:dumps is no class"),
        (f"{SQLITE}, tabel: x}}", "5:99: unknown-key: there is no key tabel (did you mean table?)"),
        (SQLITE.replace("table: shops, ", "") + "}", "missing-key: the key table is missing"),
        (SQLITE.replace("table: shops", "table: 5") + "}", "wrong-value: lookups.shops.table: Input should be a valid"),
        (SQLITE.replace("table: shops", 'table: "${SECRET}"') + "}", "plugin-variable: lookups.shops.table: "),
        ("{type: csv, path: ../data/shops.csv, key: id, delimiter: ab}", "wrong-value: lookups.shops.delimiter: "),
        ("{type: csv, path: ../data/shops.csv, kez: id}", "unknown-key: there is no key kez (did you mean key?)"),
    ],
)  # fmt: skip
def test_a_problem_is_named_at_its_place(project: Path, lookup: str, expected: str) -> None:
    found = problems(project, lookup)
    assert any(expected in each for each in found), found
    assert not any("hush" in each for each in found)


def test_a_worker_with_another_plugin_refuses(project: Path) -> None:
    pipeline = compiled(project)
    again = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert again.lookups["shops"].config == pipeline.lookups["shops"].config
    source = project / "lookups/sqlite.py"
    source.write_text(source.read_text() + "\n# another one\n")
    with pytest.raises(RunError, match=r"the lookup shops differs: source modules lookups\.sqlite"):
        rebuild(pipeline.plan.json, pipeline.secrets, project)
    source.unlink()
    del sys.modules["lookups.sqlite"]
    with pytest.raises(
        RunError, match=r"cannot read the configuration .* lookups\.sqlite:SqliteLookup cannot be imported"
    ):
        rebuild(pipeline.plan.json, pipeline.secrets, project)


def test_a_plugin_that_does_not_open_is_named(project: Path) -> None:
    source = project / "lookups/sqlite.py"
    source.write_text(
        source.read_text().replace("self._settings, self._schema =", "1 / 0\n        self._settings, self._schema =")
    )
    bound = compiled(project).lookups["shops"]
    with pytest.raises(
        RunError, match=r"the lookup shops \(lookups.sqlite:SqliteLookup\) did not open: ZeroDivisionError"
    ):
        open_lookup(bound, SystemClock())
