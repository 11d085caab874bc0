"""The committed schema and the reference page are those that the models give, with a description of every key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from trivium.config.model.reference import page
from trivium.config.model.schema import schema_text
from trivium.devtools.scaffold import new_project

ROOT = Path(__file__).parents[2]


def sections() -> Iterator[tuple[str, dict[str, Any]]]:
    schema = json.loads(schema_text())
    yield "", schema
    yield from ((name, each) for name, each in schema["$defs"].items() if "properties" in each)


def test_the_committed_schema_is_current() -> None:
    committed = ROOT / "configs/pipeline.schema.json"
    assert committed.read_text() == schema_text(), (
        "python -m trivium.config.model.schema > configs/pipeline.schema.json"
    )


def test_the_reference_page_is_current() -> None:
    assert (ROOT / "docs/pipeline-file.md").read_text() == page(), (
        "python -m trivium.config.model.reference > docs/pipeline-file.md"
    )


def test_every_key_has_a_description() -> None:
    keys = [(name, key, each) for name, section in sections() for key, each in section["properties"].items()]
    assert len(keys) > 70
    assert [(name, key) for name, key, each in keys if not each.get("description", "").endswith((".", "`."))] == []


@pytest.mark.parametrize("place", [name for name, _ in sections()][1:])
def test_every_section_has_a_table_on_the_page(place: str) -> None:
    keys = dict(sections())[place]["properties"]
    assert any(all(f"| `{key}` |" in part for key in keys) for part in page().split("\n## "))


def test_the_page_tells_types_limits_and_defaults() -> None:
    lines = page().splitlines()
    batch = lines[lines.index("## `batch`") :]
    assert "| `workers` | integer ≥ 1, ≤ 10000 | `2` | The number of worker processes. |" in batch
    assert "## `executors[].retry`, `lookups.NAME.retry`, `retry`" in lines
    assert any(line.startswith("| `lookups` | mapping of section") for line in lines)


def test_a_new_project_has_the_schema_that_its_pipeline_names(tmp_path: Path) -> None:
    new_project("shop", tmp_path)
    configs = tmp_path / "shop" / "configs"
    first = (configs / "shop.yaml").read_text().splitlines()[0]
    schema = configs / first.removeprefix("# yaml-language-server: $schema=")
    assert schema.read_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text()))
