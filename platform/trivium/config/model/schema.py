"""The JSON Schema of the pipeline file, for editors. `python -m trivium.config.model.schema` prints it."""

from __future__ import annotations

import json
import sys

from trivium.config.model.pipeline import PipelineConfig


def schema_text() -> str:
    """Return the schema as indented JSON with a final line break."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PipelineConfig.model_json_schema(mode="validation"),
        "title": "Trivium pipeline",
    }
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
