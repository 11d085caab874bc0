"""The JSON Schema of the pipeline file, for editors. `python -m trivium.config.model.schema` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any

from trivium.config.model.kinds import Kinds
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.pipeline import PipelineConfig
from trivium.config.model.sources import SOURCE_KINDS


def schema() -> dict[str, Any]:
    """Return the schema, with a section for every built-in lookup and source and room for those of plug-ins."""
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PipelineConfig.model_json_schema(mode="validation"),
        "title": "Trivium pipeline",
    }
    for model in (*LOOKUP_KINDS.built_in.values(), *SOURCE_KINDS.built_in.values()):
        section = model.model_json_schema(mode="validation")
        found["$defs"] |= {**section.pop("$defs", {}), model.__name__: section}
    for named in found["properties"]["lookups"]["patternProperties"].values():
        named |= {"anyOf": _sections(LOOKUP_KINDS, "lookup")}
        named.pop("type")
    source = found["$defs"]["Batch"]["properties"]["source"]
    source |= {"anyOf": _sections(SOURCE_KINDS, "source")}
    source.pop("type")
    return found


def _sections(kinds: Kinds[Any], noun: str) -> list[dict[str, Any]]:
    of_a_plugin = {
        "description": f"A {noun} of a plug-in: its type is an installed name, or module:Class of the project.",
        "properties": {
            "type": {
                "description": f"The {noun}'s name or class.",
                "not": {"enum": sorted(kinds.built_in)},
                "type": "string",
            }
        },
        "required": ["type"],
        "type": "object",
    }
    return [*({"$ref": f"#/$defs/{model.__name__}"} for model in kinds.built_in.values()), of_a_plugin]


def schema_text() -> str:
    """Return the schema as indented JSON with a final line break."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
