"""Limits of msgspec.Meta, as annotations and held by kernels; value by value by msgspec itself where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.types.spec import Conformed, TypeSpec

NUMBERS: Final = ("ge", "gt", "le", "lt", "multiple_of")
LENGTHS: Final = ("min_length", "max_length")
_COMPARE: Final[list[tuple[str, Callable[[Any, Any], Any], str]]] = [
    ("ge", pc.less, ">="),
    ("gt", pc.less_equal, ">"),
    ("le", pc.greater, "<="),
    ("lt", pc.greater_equal, "<"),
]


def limits_of(info: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the limits among `names` that an annotation has."""
    return {name: value for name in names if (value := getattr(info, name)) is not None}


def limited(python: Any, limits: dict[str, Any]) -> Any:
    """Return a type annotated with its limits."""
    return Annotated[python, msgspec.Meta(**limits)] if limits else python


def check_numbers(out: Conformed, column: pa.Array, limits: dict[str, Any]) -> None:
    """Hold numbers to `ge`, `gt`, `le` and `lt`."""
    for name, outside, sign in _COMPARE:
        if name in limits:
            out.refuse(outside(column, pa.scalar(limits[name])), f"expected a value {sign} {limits[name]}")


def check_lengths(out: Conformed, lengths: pa.Array | None, limits: dict[str, Any]) -> None:
    """Hold lengths to `min_length` and `max_length`."""
    if "min_length" in limits:
        out.refuse(pc.less(lengths, limits["min_length"]), f"expected a length >= {limits['min_length']}")
    if "max_length" in limits:
        out.refuse(pc.greater(lengths, limits["max_length"]), f"expected a length <= {limits['max_length']}")


def check_by_value(out: Conformed, spec: TypeSpec, name: str) -> None:
    """Hold values to a limit without an Arrow twin, one by one, by msgspec itself."""
    if name not in spec.limits:
        return
    rules = {name: spec.limits[name]}
    wanted = spec.kind.annotation(replace(spec, limits=rules)) | None
    bad = np.array([not _converts(value, wanted) for value in out.column.to_pylist()], np.bool_)
    out.refuse(bad, f"expected a value that fits {rules}")


def _converts(value: Any, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True
