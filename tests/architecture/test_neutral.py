"""The platform knows no event type, in code or in words: whatever a project's executors are about."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def event_types(repository: Path) -> set[str]:
    """The types of the executors in this repository, and the names of their classes."""
    found = set()
    for executor in (repository / "executors").glob("*/executor.py"):
        for node in ast.parse(executor.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.add(node.name)
                found |= {str(each.value.value) for each in node.keywords if isinstance(each.value, ast.Constant)}
    return found


def sources(repository: Path) -> Iterator[Path]:
    for path in sorted((repository / "platform").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def test_the_executors_are_found(event_types: set[str]) -> None:
    assert {"departure", "arrival", "cancellation", "diversion", "DepartureExecutor", "Departure"} <= event_types


def test_nothing_under_platform_names_an_event_type(repository: Path, event_types: set[str]) -> None:
    words = re.compile(rf"\b({'|'.join(map(re.escape, sorted(event_types)))})s?\b", re.IGNORECASE)
    named = [
        f"{path.relative_to(repository)}:{number}: {line.strip()}"
        for path in sources(repository)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not named, "\n".join(named)


def test_nothing_under_platform_names_a_column_of_an_executor(repository: Path) -> None:
    """Columns only the flights have, as their golden samples say, stand nowhere in the platform."""
    lines = [line for file in (repository / "executors").glob("*/samples.jsonl") for line in file.open()]
    columns = {name for line in lines for row in json.loads(line).get("rows", []) for name in row}
    own = {name for name in columns if "_" in name} - {"event_id", "event_time"}
    assert "distance_miles" in own
    words = re.compile(rf"\b({'|'.join(sorted(own))})\b")
    assert not [path for path in sources(repository) if words.search(path.read_text("utf-8"))]
