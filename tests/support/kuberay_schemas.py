"""The schemas of KubeRay's resources, as strictly as `kubectl --validate=strict` takes them."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parent / "kuberay"


def complaints(manifest: dict[str, Any]) -> list[str]:
    """What the schema of the manifest's kind says against it; a field that it does not know is one, too."""
    schema = strict(json.loads((FOLDER / f"{manifest['kind']}.json").read_text(encoding="utf-8")))
    found = Draft202012Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


def strict(schema: Any) -> Any:
    """A schema that refuses unknown fields; `metadata`, which the API server itself checks, aside."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made
