"""The JSON Schema of the pipeline file, for editors. `python -m trivium.config.model.schema` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from trivium.config.model.lookups import BUILT_IN
from trivium.config.model.pipeline import PipelineConfig
from trivium.config.model.sources import SOURCES

_PLUGIN: Final = {
    "description": "A lookup of a plug-in: its type is an installed name, or module:Class of the project.",
    "properties": {
        "type": {"description": "The lookup's name or class.", "not": {"enum": sorted(BUILT_IN)}, "type": "string"}
    },
    "required": ["type"],
    "type": "object",
}


def schema() -> dict[str, Any]:
    """Return the schema, with a section for every built-in lookup and room for those of plug-ins."""
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PipelineConfig.model_json_schema(mode="validation"),
        "title": "Trivium pipeline",
    }
    for model in (*BUILT_IN.values(), *SOURCES.values()):
        section = model.model_json_schema(mode="validation")
        found["$defs"] |= {**section.pop("$defs", {}), model.__name__: section}
    sections: list[dict[str, Any]] = [{"$ref": f"#/$defs/{model.__name__}"} for model in BUILT_IN.values()]
    for named in found["properties"]["lookups"]["patternProperties"].values():
        named |= {"anyOf": [*sections, _PLUGIN]}
        named.pop("type")
    source = found["$defs"]["Batch"]["properties"]["source"]
    source |= {"anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in SOURCES.values()]}
    source.pop("type")
    return found


def schema_text() -> str:
    """Return the schema as indented JSON with a final line break."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
