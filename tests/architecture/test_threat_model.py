"""docs/threat-model.md: each line of its tables that names a rule names tests that hold it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def lines_of_rules() -> list[str]:
    """The lines of tables whose last column says what holds them."""
    found: list[str] = []
    held = False
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            held = False
        elif line.endswith("| held by |"):
            held = True
        elif held and not line.startswith("| ---"):
            found.append(line)
    return found


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_rule_names_a_test() -> None:
    rules = lines_of_rules()
    assert len(rules) > 35
    assert [line for line in rules if "`tests/" not in line.removesuffix(" |").rpartition(" | ")[2]] == []
