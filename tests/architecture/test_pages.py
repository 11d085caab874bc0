"""Pages for people who change Trivium or look for a page: what they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "platform/trivium"
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+(?:\.py|/))(?:::([\w.]+))?`", ARCHITECTURE)))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the public functions and classes of a module, and the methods as `Class.method`."""
    tree = ast.parse(path.read_text())
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{each.name}" for each in functions}
    return frozenset(found)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_file_and_a_function_that_the_architecture_names_exist(path: str, name: str) -> None:
    assert (PACKAGE / path).exists()
    assert not name or name in names_in(PACKAGE / path)


def test_the_architecture_names_every_package_and_follows_each_runtime() -> None:
    floors = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert [floor for floor in sorted(floors) if f"`{floor}`" not in ARCHITECTURE] == []
    assert len(NAMED) > 50
    assert {path.split("/")[1] for path, _ in NAMED if path.startswith("runtimes/") and path.count("/") > 1} == {
        "batch",
        "streaming",
        "serving",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_linked_files_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs/index.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert sorted(page for page in pages if f"]({page})" not in index) == []


def test_the_commands_of_the_contributors_page_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:platform|tests|docs|executors|benchmarks|jobs|serve)/[\w./-]*)`", text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
