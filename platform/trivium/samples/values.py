"""Compares the plain data of a sample with the plain data of what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from trivium.core.suggest import one_of


def differences(expected: Any, got: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two pieces of plain data differ: the path, what was expected and what came."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for name in [*got, *(name for name in expected if name not in got)]:
            yield from differences(expected.get(name), got.get(name), f"{path}.{name}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (left, right) in enumerate(zip(expected, got, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield path, expected, got


def unknown_columns(row: Mapping[str, Any], schema: pa.Schema) -> Iterator[str]:
    """Yield what a sample's row names that the executor does not write."""
    for name in row:
        if name not in schema.names:
            yield f"there is no column {name} ({one_of(name, schema.names)})"
