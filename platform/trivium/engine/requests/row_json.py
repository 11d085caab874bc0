"""Rows an executor returned, as JSON: the answer of a request, without a table in between.

`written` takes what is beyond doubt and leaves everything else to `emit`, which has the rules and the sentences: rows
are taken when their values are exactly of the declared types, within their limits, and as JSON shows them.
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
from trivium.types.convert import StructBuilder
from trivium.types.normalise import Normaliser
from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.structs import annotation, derive

_encode: Final = msgspec.json.encode
_zone: Final = attrgetter("tzinfo")
_NATIVE: Final = (bytes, date, datetime)
_Column = Callable[[Sequence[Any]], Any]


class RowJson:
    """Makes JSON objects of rows of one declaration: the declared columns under their Python names.

    Rows whose event time is outside of [earliest, latest] are never beyond doubt.
    """

    def __init__(self, declaration: Declaration, earliest: datetime, latest: datetime) -> None:
        specs = declaration.row_specs
        self._row, self._earliest, self._latest = declaration.row, earliest, latest
        self._builder = StructBuilder(declaration.row, specs)
        by_name = {spec.name: spec for spec in specs}
        in_order = [by_name[name] for name in declaration.row.__struct_fields__]
        self._time = itemgetter(declaration.row.__struct_fields__.index("event_time"))
        self._check: _PlainRows | _ReadBack | None = None
        if _writes_all_by_name(declaration.row) and all(_is_simple(spec.type) for spec in specs):
            kind = _PlainRows if all(_is_plain(spec.type) for spec in specs) else _ReadBack
            self._check = kind(declaration.row, in_order)

    def written(self, rows: Sequence[Any], parents: Sequence[int]) -> Sequence[Any] | None:
        """Return the rows as structs that encode to a JSON object each, None when one is not beyond doubt.

        `parents` is the input each row came from.
        """
        if not rows or self._check is None or set(map(type, rows)) != {self._row}:
            return None if rows else rows
        values = list(map(astuple, rows))
        made = self._check.written(rows, values)
        if made is None:
            return None
        times = list(map(self._time, values))
        if not (self._earliest <= min(times) and max(times) <= self._latest):
            return None
        return None if len(set(parents)) < len(rows) and _repeats(rows, parents) else made

    def from_columns(self, columns: pa.RecordBatch) -> Sequence[Any]:
        """Return checked columns as structs that encode to a JSON object each."""
        return self._builder.build(columns)


class _PlainRows:
    """Rows whose values are in JSON what they are: one conversion holds all of them to types, limits and widths."""

    def __init__(self, row: type[msgspec.Struct], specs: Sequence[FieldSpec]) -> None:
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
        self._times = [itemgetter(at) for at, spec in enumerate(specs) if _holds(spec, pt.is_timestamp)]

    def written(self, rows: Sequence[Any], values: Sequence[tuple[Any, ...]]) -> Sequence[Any] | None:
        if not self._types.issuperset(map(type, chain.from_iterable(values))):
            return None
        try:
            msgspec.convert((values,), self._shape, builtin_types=_NATIVE)
        except msgspec.ValidationError:
            return None
        # What a converter lets pass: an int for a float, NaN, another zone than UTC, subclasses inside a list.
        for column, types in self._floats:
            numbers = list(map(column, values))
            if not types.issuperset(map(type, numbers)) or not isfinite(sum(filter(None, numbers))):
                return None
        if any(not _UTC.issuperset(map(_zone, filter(None, map(column, values)))) for column in self._times):
            return None
        if not all(_of_types(map(column, values), types) for column, types in self._items):
            return None
        return rows if _is_text(chain.from_iterable(map(column, values) for column in self._texts)) else None


class _ReadBack:
    """Rows with values that JSON shows otherwise than Python: decimals at their scale, rounded floats, enums."""

    def __init__(self, row: type[msgspec.Struct], specs: Sequence[FieldSpec]) -> None:
        self._decode = msgspec.json.Decoder(list.__class_getitem__(derive(row, specs))).decode
        self._normaliser = Normaliser(specs)
        self._plain = [spec.type.exact for spec in specs]
        self._types = [_exact(spec) for spec in specs]
        self._items = [(at, {item.exact}) for at, spec in enumerate(specs) if (item := spec.type.item)]
        # JSON has no NaN and calls it null, which only a nullable field lets pass.
        self._floats = [at for at, spec in enumerate(specs) if spec.nullable and pt.is_floating(spec.type.arrow)]

    def written(self, rows: Sequence[Any], values: Sequence[tuple[Any, ...]]) -> Sequence[Any] | None:
        if not self._of_declared_types(values):
            return None
        try:
            read = self._decode(_encode(rows))
            if self._normaliser and (odd := list(self._normaliser.suspects(read))):
                for at in odd:
                    self._normaliser(read[at])
                rows = read
        except Exception:  # noqa: BLE001 - a time zone, for one, has code of its own
            return None
        return rows

    def _of_declared_types(self, values: Sequence[tuple[Any, ...]]) -> bool:
        width = len(self._plain)
        flat = list(chain.from_iterable(values))
        if list(map(type, flat)) != self._plain * len(values) and not all(
            kinds.issuperset(map(type, flat[at::width])) for at, kinds in enumerate(self._types)
        ):
            return False
        return all(_of_types(flat[at::width], kinds) for at, kinds in self._items) and all(
            all(map(isfinite, filter(None, flat[at::width]))) for at in self._floats
        )


_UTC: Final = frozenset({UTC})


def _is_text(values: Iterable[str | None]) -> bool:
    """Return whether UTF-8 has all of it: a lone surrogate cannot be sent."""
    text = "".join(filter(None, values))
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _of_types(lists: Iterable[Sequence[Any] | None], types: set[type]) -> bool:
    return types.issuperset(map(type, chain.from_iterable(filter(None, lists))))


def _exact(spec: FieldSpec) -> set[type]:
    return {spec.type.exact, NoneType} if spec.nullable else {spec.type.exact}


def _writes_all_by_name(row: type[msgspec.Struct]) -> bool:
    config = row.__struct_config__
    own_names = row.__struct_encode_fields__ == row.__struct_fields__
    return own_names and not (config.omit_defaults or config.array_like or config.tag is not None)


def _is_simple(spec: TypeSpec) -> bool:
    """Return whether JSON says all there is to say about a value; Float32's limits hold for its rounded value."""
    if spec.fields or not spec.kind.reads_back or (spec.limits and pt.is_float32(spec.arrow)):
        return False
    if spec.item is not None:
        return spec.item.item is None and not spec.item_nullable and _is_simple(spec.item)
    return True


def _is_plain(spec: TypeSpec) -> bool:
    """Return whether a conversion holds a value to its type: no enum, whose members may be of another field's type."""
    if spec.item is not None:
        odd = pt.is_floating(spec.item.arrow) or pt.is_string(spec.item.arrow) or pt.is_timestamp(spec.item.arrow)
        return spec.item.item is None and not odd and _is_plain(spec.item)
    return spec.kind.plain and not pt.is_float32(spec.arrow)


def _holds(spec: FieldSpec, matches: Callable[[pa.DataType], bool]) -> bool:
    return bool(matches(spec.type.arrow))


def _repeats(rows: Sequence[Any], parents: Sequence[int]) -> bool:
    identities = {(parent, row.event_id) for parent, row in zip(parents, rows, strict=True)}
    return len(identities) < len(rows)
