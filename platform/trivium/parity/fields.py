"""Two outcomes field by field, so that the very field that differs can be pointed at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trivium.parity.results import InputOutcome

_UNFOLDED = 20


@dataclass(frozen=True)
class FieldPair:
    """A field's values as JSON on either side; None where a side has no such field. `path` is like `rows[0].delay`."""

    path: str
    expected: str | None
    got: str | None

    @property
    def differs(self) -> bool:
        """True if the two sides hold other values."""
        return self.expected != self.got


def field_pairs(expected: InputOutcome, got: InputOutcome) -> list[FieldPair]:
    """Return all fields of both outcomes, in order; lists of more than 20 values are one field."""
    left, right = dict(_unfolded("", expected.as_json())), dict(_unfolded("", got.as_json()))
    return [FieldPair(path, left.get(path), right.get(path)) for path in {**left, **right}]


def _unfolded(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _unfolded(f"{path}.{name}" if path else name, each)
    elif isinstance(value, list) and 0 < len(value) <= _UNFOLDED:
        for number, each in enumerate(value):
            yield from _unfolded(f"{path}[{number}]", each)
    else:
        yield path, json.dumps(value, ensure_ascii=False)
