"""The reference page of the pipeline file. `python -m trivium.config.model.reference` prints docs/pipeline-file.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trivium.config.model.schema import schema

_HEAD: Final = """# The pipeline file

Every key of a pipeline file, written by `python -m trivium.config.model.reference` from the models that check it.
Editors show the same descriptions: `trivium new project` writes `configs/pipeline.schema.json` beside the pipeline
file, whose first line names it for the YAML language server. An unknown key, a value of another type and a value
outside its limits are problems of `trivium check`: all of them at once, each with its line.

A value may contain `${NAME}` or `${NAME:-default}`, replaced by an environment variable. Relative paths start at the
folder of the file. In the name of a section `[]` stands for every entry of a list and `NAME` for every name of a
mapping.
"""
_LIMITS: Final = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

Schema = Mapping[str, Any]


def page() -> str:
    """Return the page as Markdown with a final line break."""
    root = schema()
    sections: dict[str, tuple[Schema, list[str]]] = {}
    _collect(root, "", root["$defs"], sections)
    parts = [_HEAD, _table(root, root["$defs"])]
    for section, places in sections.values():
        heading = ", ".join(f"`{place}`" for place in dict.fromkeys(places))
        kind = section["properties"].get("type", {}).get("const")
        heading += f" of type `{kind}`" if kind else ""
        parts += [f"## {heading}\n", _described(section), _table(section, root["$defs"])]
    return "\n".join(parts)


def _collect(section: Schema, place: str, named: Schema, sections: dict[str, tuple[Schema, list[str]]]) -> None:
    """Add the sections below `section`, each with the places where it may stand, in the order of the keys."""
    for key, value in section["properties"].items():
        for name, suffix in _references(value):
            inner = named[name]
            if "properties" not in inner:
                continue
            below = f"{place}.{key}{suffix}".removeprefix(".")
            sections.setdefault(name, (inner, []))[1].append(below)
            _collect(inner, below, named, sections)


def _references(value: Schema) -> Iterator[tuple[str, str]]:
    """Return the sections that a value refers to, with what its place adds to the key."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], ""
    for each in _choices(value):
        yield from _references(each)
    for suffix, part in (("[]", value.get("items")), (".NAME", _of_mapping(value))):
        if part:
            yield from ((name, suffix + rest) for name, rest in _references(part))


def _choices(value: Schema) -> list[Schema]:
    return [each for each in (*value.get("anyOf", ()), *value.get("oneOf", ())) if each.get("type") != "null"]


def _of_mapping(value: Schema) -> Schema:
    """Return the schema of the values of a mapping; an empty one where it takes any, or where `value` is none."""
    found = value.get("additionalProperties") or next(iter(value.get("patternProperties", {}).values()), None)
    return found if isinstance(found, dict) else {}


def _described(section: Schema) -> str:
    paragraphs = section["description"].split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) + "\n"


def _table(section: Schema, named: Schema) -> str:
    lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in section["properties"].items():
        default = "required" if key in section.get("required", ()) else _default(value, named)
        lines.append(f"| `{key}` | {_type(value, named)} | {default} | {value['description']} |")
    return "\n".join(lines) + "\n"


def _default(value: Schema, named: Schema) -> str:
    default = value.get("default")
    if not isinstance(default, dict):
        return "" if default in (None, []) else f"`{json.dumps(default)}`"
    keys = next(named[name]["properties"] for name, _ in _references(value))
    own = {key: each for key, each in default.items() if each not in (keys[key].get("default"), [])}
    return f"`{json.dumps(own)}`" if own else "those of its keys"


def _type(value: Schema, named: Schema) -> str:
    if "$ref" in value:
        return "section" if "properties" in named[value["$ref"].rpartition("/")[2]] else "any"
    if choices := _choices(value):
        return " or ".join(dict.fromkeys(_type(each, named) for each in choices))
    if "const" in value or "enum" in value:
        return " or ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items') or value['prefixItems'][0], named)}"
    if value.get("type") == "object":
        return f"mapping of {_type(_of_mapping(value), named)}"
    return _scalar(value)


def _scalar(value: Schema) -> str:
    kinds = {"string": "text", "boolean": "true or false", "password": "text"}
    kind = value.get("format") or value.get("type", "any")
    limits = ", ".join(f"{sign} {value[key]}" for key, sign in _LIMITS.items() if key in value)
    return f"{kinds.get(kind, kind)} {limits}".rstrip()


if __name__ == "__main__":
    sys.stdout.write(page())
