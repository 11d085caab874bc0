"""Normalisation that msgspec leaves open after decoding: offsets to UTC, Float32 rounding, decimals that fit exactly.

A normaliser changes a struct in place before any executor sees it and raises ValueError for a value that has no place
in the declared column. Decimals arrive as their JSON text, since a decoder would take more than JSON's grammar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from operator import attrgetter
from typing import Any

from msgspec.structs import force_setattr

from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.times import to_utc


class Misfit(ValueError):
    """A value without a place in its declared column. `path` says where in the record it is, as the decoder does."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, path)
        self.message, self.path = message, path

    def __str__(self) -> str:
        return f"{self.message} - at `${self.path}`"

    @classmethod
    def at(cls, step: str, error: ValueError) -> Misfit:
        """Return the error of a value as one of what holds it."""
        if isinstance(error, Misfit):
            return cls(error.message, step + error.path)
        return cls(str(error), step)


class Normaliser:
    """Normalises structs of some fields in place. False in a condition where there is nothing to do."""

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        self._fixes = [
            (spec.name, f".{spec.wire}", fix)
            for spec in fields
            if (fix := spec.type.kind.fix(spec.type, spec.nullable)) is not None
        ]
        self._times_only = all(fix is to_utc for _, _, fix in self._fixes)

    def __bool__(self) -> bool:
        return bool(self._fixes)

    def __call__(self, row: Any) -> None:
        """Change one struct.

        Raises:
            ValueError: a value has no place in its declared column.
        """
        for name, step, fix in self._fixes:
            value = getattr(row, name)
            try:
                if value is not None and (fixed := fix(value)) is not value:
                    force_setattr(row, name, fixed)
            except ValueError as error:
                raise Misfit.at(step, error) from error

    def suspects(self, rows: Sequence[Any]) -> Iterable[int]:
        """Return the structs that may need a change: for times those not in UTC, else all."""
        if not self._times_only:
            return range(len(rows))
        found: set[int] = set()
        for name, _, _ in self._fixes:
            moments = map(attrgetter(name), rows)
            found.update(i for i, at in enumerate(moments) if at is not None and at.tzinfo is not UTC)
        return sorted(found)


def contains_time(spec: TypeSpec) -> bool:
    """Return whether a time or a duration is anywhere in a type."""
    return spec.kind.fractional or any(map(contains_time, spec.kind.inside(spec)))
