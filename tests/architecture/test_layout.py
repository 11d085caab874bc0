"""The layout of the tests: what several of them use is in tests/support, so that any file runs alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


def modules(repository: Path) -> Iterator[tuple[str, Path]]:
    """Return every Python file of the tests with the name of its module."""
    for path in sorted((repository / "tests").rglob("*.py")):
        yield ".".join(path.relative_to(repository).with_suffix("").parts), path


def imported(path: Path) -> Iterator[str]:
    """Return the modules that a file imports, and the names it imports from them as if they were modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def is_test(name: str) -> bool:
    return any(part == "conftest" or part.startswith("test_") for part in name.split(".")[1:])


def test_no_module_imports_a_test_module_or_a_conftest(repository: Path) -> None:
    tests = {name for name, _ in modules(repository) if is_test(name)}
    assert len(tests) > 100
    found = [
        f"{name} imports {each}"
        for name, path in modules(repository)
        for each in imported(path)
        if each in tests or each.rpartition(".")[0] in tests
    ]
    assert found == []


@pytest.mark.parametrize("word", ["utils", "common", "base", "helpers", "manager"])
def test_no_helper_is_named_after_nothing(repository: Path, word: str) -> None:
    assert [name for name, _ in modules(repository) if word in name.rpartition(".")[2].split("_")] == []


def test_docstrings_of_modules_begin_with_a_noun(repository: Path) -> None:
    openers = ("What", "Whether", "That", "Which", "How", "Where", "When")
    said = {
        name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for name, path in modules(repository)
    }
    assert [name for name, text in said.items() if text.split(" ")[0] in openers] == []
