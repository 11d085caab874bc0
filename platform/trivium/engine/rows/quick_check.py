"""The quick way to judge rows an executor returned: beyond doubt, or left to `emit`, which has the rules and sentences.

Rows are beyond doubt when their values are exactly of the declared types, within their limits, and as JSON shows them.
For a handful of rows that costs a tenth of what columns do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from math import isfinite
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.types as pt
from msgspec.structs import astuple

from trivium.contract.declaration import Declaration
from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.structs import annotation

_zone: Final = attrgetter("tzinfo")
_NATIVE: Final = (bytes, date, datetime)
_UTC: Final = frozenset({UTC})
_BYTES_OF_A_VALUE: Final = 32
Values = Sequence[tuple[Any, ...]]


class QuickCheck:
    """Judges rows of one declaration. Rows whose event time is outside of [earliest, latest] are never beyond doubt."""

    def __init__(self, declaration: Declaration, earliest: datetime, latest: datetime) -> None:
        self._row, self._earliest, self._latest = declaration.row, earliest, latest
        self.fields = fields_in_order(declaration)
        self._time = itemgetter(declaration.row.__struct_fields__.index("event_time"))
        plain = all(_is_plain(spec.type) for spec in self.fields)
        self._plain = _PlainValues(self.fields) if plain else None

    @property
    def applies(self) -> bool:
        """True where every field is of a kind that can be judged this way."""
        return self._plain is not None

    def size(self, rows: Sequence[Any], parents: Sequence[int]) -> int | None:
        """Return about how many bytes the rows take, None when one is not beyond doubt.

        `parents` is the input each row came from.
        """
        values = None if self._plain is None else self.values(rows)
        if values is None or self._plain is None:
            return None
        size = self._plain.size(values)
        return size if size is not None and self.agree(rows, values, parents) else None

    def values(self, rows: Sequence[Any]) -> Values | None:
        """Return the values of each row, None unless all are of the declared class."""
        return list(map(astuple, rows)) if set(map(type, rows)) == {self._row} else None

    def agree(self, rows: Sequence[Any], values: Values, parents: Sequence[int]) -> bool:
        """Return whether all times are within the range and no input has two rows of one identity."""
        times = list(map(self._time, values))
        if not (self._earliest <= min(times) and max(times) <= self._latest):
            return False
        return len(set(parents)) == len(rows) or not _repeats(rows, parents)


class _PlainValues:
    """Values that are in JSON what they are: one conversion holds all of them to types, limits and widths."""

    def __init__(self, specs: Sequence[FieldSpec]) -> None:
        self._types = {spec.type.exact for spec in specs}
        if any(spec.nullable for spec in specs):
            self._types.add(NoneType)
        values = msgspec.defstruct(
            "Values", [(spec.name, annotation(spec)) for spec in specs], array_like=True, gc=False
        )
        # The converter keeps what it knows of a struct's fields, and makes what it knows of a list anew at each call.
        self._shape = msgspec.defstruct("Rows", [("rows", list.__class_getitem__(values))], array_like=True, gc=False)
        self._items = [(itemgetter(at), {spec.type.item.exact}) for at, spec in enumerate(specs) if spec.type.item]
        self._floats = [
            (itemgetter(at), {float, NoneType}) for at, spec in enumerate(specs) if _holds(spec, pt.is_floating)
        ]
        self._texts = [itemgetter(at) for at, spec in enumerate(specs) if _holds(spec, pt.is_string)]
        self._bytes = [itemgetter(at) for at, spec in enumerate(specs) if _holds(spec, pt.is_binary)]
        self._times = [itemgetter(at) for at, spec in enumerate(specs) if _holds(spec, pt.is_timestamp)]

    def size(self, values: Values) -> int | None:
        """Return about how many bytes the values take, None when one is not beyond doubt."""
        if not self._types.issuperset(map(type, chain.from_iterable(values))):
            return None
        try:
            msgspec.convert((values,), self._shape, builtin_types=_NATIVE)
        except msgspec.ValidationError:
            return None
        text = "".join(filter(None, chain.from_iterable(map(column, values) for column in self._texts)))
        if not (self._are_as_declared(values) and _is_utf8(text)):
            return None
        sized = chain(self._bytes, map(itemgetter(0), self._items))
        return (
            len(text)
            + _BYTES_OF_A_VALUE * len(values) * len(values[0])
            + _BYTES_OF_A_VALUE * sum(sum(map(len, filter(None, map(column, values)))) for column in sized)
        )

    def _are_as_declared(self, values: Values) -> bool:
        """Return whether there is none of what a converter lets pass.

        An int for a float, NaN, another zone than UTC, subclasses inside a list.
        """
        for column, types in self._floats:
            numbers = list(map(column, values))
            if not types.issuperset(map(type, numbers)) or not isfinite(sum(filter(None, numbers))):
                return False
        return all(_UTC.issuperset(map(_zone, filter(None, map(column, values)))) for column in self._times) and all(
            _of_types(map(column, values), types) for column, types in self._items
        )


def fields_in_order(declaration: Declaration) -> list[FieldSpec]:
    """Return the fields of a declaration's row in the order of its class."""
    by_name = {spec.name: spec for spec in declaration.row_specs}
    return [by_name[name] for name in declaration.row.__struct_fields__]


def _is_utf8(text: str) -> bool:
    """Return whether UTF-8 has all of it: a lone surrogate can neither be sent nor written."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _of_types(lists: Iterable[Sequence[Any] | None], types: set[type]) -> bool:
    return types.issuperset(map(type, chain.from_iterable(filter(None, lists))))


def _is_plain(spec: TypeSpec) -> bool:
    """Return whether a conversion holds a value to its type: no enum, whose members may be of another field's type."""
    if not spec.kind.reads_back:
        return False
    if spec.item is not None:
        odd = pt.is_floating(spec.item.arrow) or pt.is_string(spec.item.arrow) or pt.is_timestamp(spec.item.arrow)
        return spec.item.item is None and not odd and not spec.item_nullable and _is_plain(spec.item)
    return spec.kind.plain and not pt.is_float32(spec.arrow)


def _holds(spec: FieldSpec, matches: Callable[[pa.DataType], bool]) -> bool:
    return bool(matches(spec.type.arrow))


def _repeats(rows: Sequence[Any], parents: Sequence[int]) -> bool:
    identities = {(parent, row.event_id) for parent, row in zip(parents, rows, strict=True)}
    return len(identities) < len(rows)
