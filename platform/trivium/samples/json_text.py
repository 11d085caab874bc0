"""Events and rows of lookups as the JSON that they are decoded from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trivium.types.kinds.raw_json import JsonText
from trivium.types.spec import FieldSpec, TypeSpec


def json_object(row: Any, fields: Sequence[FieldSpec]) -> dict[str, Any]:
    """Return a struct by wire names, for msgspec to encode; nulls are left out."""
    values = {spec.wire: _value(getattr(row, spec.name), spec.type) for spec in fields}
    return {name: value for name, value in values.items() if value is not None}


def _value(value: Any, spec: TypeSpec) -> Any:
    if value is None:
        return None
    if isinstance(spec.kind, JsonText):
        return msgspec.Raw(str(value).encode())
    if spec.fields:
        return json_object(value, spec.fields)
    if spec.item is not None and isinstance(value, Mapping):
        return {name: _value(each, spec.item) for name, each in value.items()}
    if spec.item is not None:
        return [_value(each, spec.item) for each in value]
    return value
