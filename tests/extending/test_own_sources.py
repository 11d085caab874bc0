"""Batch sources of one's own: a class of the project and an installed one, from the pipeline file to the rows."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import deltalake
import pytest

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests
from tests.support.terminal import Trivium
from tests.support.visit_log import add_bodies, add_visits
from trivium import SourceRequest
from trivium.config import plugins
from trivium.config.compile import compile_file
from trivium.config.model.sources import SOURCE_KINDS
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.connectors import open_source
from trivium.connectors.archive.reader import SourceReader
from trivium.core.errors import RunError, SourceError
from trivium.testing import assert_batch_source_compliance

PROJECT = Path(__file__).parent / "project"
DAYS = ("2026-03-01", "2026-03-02")
OWN = '{type: "sources.sqlite:SqliteSource", path: ../data/log.sqlite, table: visits, day_column: day}'
ENTRY = "[trivium.sources]\nsqlite = installed_sources.sqlite:SqliteSource\n"


@pytest.fixture(autouse=True)
def forget_sources() -> Iterator[None]:
    """Forget the sources of the project and the installed ones, so that each test imports its own."""
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lookups", "sources", "installed_sources")]:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = Path(shutil.copytree(PROJECT, tmp_path / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    (root / "data").mkdir()
    with closing(sqlite3.connect(root / "data/shops.sqlite")) as database, database:
        database.execute("CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT, city TEXT)")
    return root


def log(root: Path) -> Path:
    return root / "data/log.sqlite"


def configured(root: Path, source: str = OWN) -> Path:
    config = root / "configs/visits.yaml"
    lines = [f"  source: {source}" if line.startswith("  source:") else line for line in config.read_text().split("\n")]
    config.write_text("\n".join(lines))
    return config


def compiled(root: Path, source: str = OWN) -> Pipeline:
    return compile_file(configured(root, source), {"SECRET": "hush-hush"})


def reader(pipeline: Pipeline) -> SourceReader:
    assert pipeline.config.batch is not None
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    return open_source(pipeline.config.batch.source, declarations, pipeline.config.type_column)


def run(root: Path, *arguments: str) -> tuple[int, str]:
    done = Trivium()("run", "batch", str(configured(root)), *arguments)
    return done.exit_code, " ".join(done.output.split())


def ids(root: Path) -> list[str]:
    table = deltalake.DeltaTable(str(root / "data/table"))
    return sorted(table.to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist())


def test_the_page_shows_the_source_that_is_tested(repository: Path) -> None:
    assert (PROJECT / "sources/sqlite.py").read_text().strip() in (repository / "docs/extending.md").read_text()


def test_a_run_reads_it_and_replaces_a_day(project: Path, ray_cluster: str) -> None:
    add_visits(log(project), DAYS[0], ["a", "b"])
    add_bodies(log(project), DAYS[0], [b"{torn", None])
    add_visits(log(project), DAYS[1], ["c"])
    planned = Trivium()("plan", str(configured(project)))
    assert planned.exit_code == 0, planned.output
    code, said = run(project)
    assert code == 0, said
    assert ids(project) == ["a", "b", "c"]
    (letter,) = deltalake.DeltaTable(str(project / "data/dead_letters")).to_pyarrow_table().to_pylist()
    assert (letter["source"], letter["position"], letter["value"]) == (DAYS[0], 2, b"{torn")
    add_visits(log(project), DAYS[0], ["late"])
    add_visits(log(project), DAYS[1], ["d"])
    code, said = run(project, "--from", DAYS[1], "--to", "2026-03-03")
    assert code == 0, said
    assert ids(project) == ["a", "b", "c", "d"]
    with closing(sqlite3.connect(log(project))) as database, database:
        database.execute("DELETE FROM visits WHERE day = ?", [DAYS[0]])
    code, said = run(project)
    assert (code, DAYS[0] in said) == (1, True), said
    assert ids(project) == ["a", "b", "c", "d"]


def test_it_complies(project: Path) -> None:
    add_visits(log(project), DAYS[0], [f"v{number}" for number in range(2500)])
    add_visits(log(project), DAYS[1], ["a", "b"])
    pipeline = compiled(project)
    assert pipeline.config.batch is not None
    section = pipeline.config.batch.source
    made: Any = SOURCE_KINDS.plugin(section.type)
    assert_batch_source_compliance(
        lambda: made(section, SourceRequest(columns=("body",))), lambda: add_visits(log(project), DAYS[1], ["c"])
    )


def test_check_looks_at_it(project: Path) -> None:
    add_visits(log(project), DAYS[0], ["a"])
    checked = Trivium()("check", "--connect", str(configured(project)))
    assert checked.exit_code == 0, checked.output
    with closing(sqlite3.connect(log(project))) as database, database:
        database.execute("DROP TABLE visits")
    checked = Trivium()("check", "--connect", str(configured(project)))
    assert checked.exit_code == 1
    assert "batch.source: the source" in checked.output
    assert "listing its parts: OperationalError: no such table: visits" in " ".join(checked.output.split())


def test_a_part_that_changes_under_the_run_is_named(project: Path) -> None:
    add_visits(log(project), DAYS[0], ["a", "b"])
    source = reader(compiled(project))
    (unit,) = source.plan().units(100, None)
    assert [len(part.batch) for part in source.batches(unit)] == [2]
    add_visits(log(project), DAYS[0], ["c"])
    with pytest.raises(SourceError, match=r"the part 2026-03-01 changed .* expected version 2, got 3\. Try: run again"):
        list(source.batches(unit))


def test_an_installed_source_is_found_by_its_name(project: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(PROJECT / "sources", site / "installed_sources")
    (site / "installed_sources-1.0.dist-info").mkdir()
    (site / "installed_sources-1.0.dist-info/METADATA").write_text("Name: installed-sources\nVersion: 1.0\n")
    (site / "installed_sources-1.0.dist-info/entry_points.txt").write_text(ENTRY)
    sys.path.insert(0, str(site))
    add_visits(log(project), DAYS[0], ["a", "b"])
    pipeline = compiled(project, OWN.replace('"sources.sqlite:SqliteSource"', "sqlite"))
    assert [unit.rows for unit in reader(pipeline).plan().units(100, None)] == [2]
    assert list(pipeline.plan.document["logic"]["source"]["modules"]) == ["installed_sources.sqlite"]
    with pytest.raises(ConfigError, match=r"expected a source type, got 'sqlit' \(did you mean sqlite\?; or module:Cl"):
        compiled(project, OWN.replace('"sources.sqlite:SqliteSource"', "sqlit"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{type: "sources.none:X"}', "9:18: unknown-value: sources.none:X cannot be imported: ModuleNotFoundError: "),
        ('{type: "json:JSONDecoder"}', "9:18: unknown-value: the source json:JSONDecoder has no Settings of trivium."),
        (OWN.replace("table: visits", "tabel: visits"), "unknown-key: there is no key tabel (did you mean table?)"),
        (OWN.replace("table: visits, ", ""), "missing-key: the key table is missing"),
        (OWN.replace("table: visits", "table: 5"), "wrong-value: batch.source.table: Input should be a valid string"),
        (OWN.replace("table: visits", 'table: "${SECRET}"'), "plugin-variable: batch.source.table: "),
        (OWN.replace("day_column: day", "event_type: visitt"), "unknown-event-type: "),
        ("{type: ndjson, path: ../data/lines, type_column: value}", "batch.source.type_column: no folder can have"),
    ],
)  # fmt: skip
def test_a_problem_is_named_at_its_place(project: Path, source: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(project, source)
    found = [str(each).partition(".yaml:")[2] for each in caught.value.problems]
    assert any(expected in each for each in found), found
    assert not any("hush" in each for each in found)


def test_a_worker_with_another_plugin_refuses(project: Path) -> None:
    pipeline = compiled(project)
    again = rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert again.config.batch == pipeline.config.batch
    source = project / "sources/sqlite.py"
    source.write_text(source.read_text() + "\n# another one\n")
    with pytest.raises(RunError, match=r"the batch source differs: modules sources\.sqlite"):
        rebuild(pipeline.plan.json, pipeline.secrets, project)
    source.unlink()
    del sys.modules["sources.sqlite"]
    with pytest.raises(RunError, match=r"cannot read the configuration .* sources\.sqlite:SqliteSource cannot be"):
        rebuild(pipeline.plan.json, pipeline.secrets, project)


def test_a_plugin_that_does_not_open_is_named(project: Path) -> None:
    source = project / "sources/sqlite.py"
    source.write_text(source.read_text().replace("self._settings = settings", "1 / 0"))
    with pytest.raises(SourceError, match=r"the source .*log\.sqlite, opening it: ZeroDivisionError: division by zero"):
        reader(compiled(project))
