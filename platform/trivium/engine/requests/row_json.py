"""Rows an executor returned, as JSON: the answer of a request, without a table in between.

`written` takes what is beyond doubt and leaves everything else to `emit`, which has the rules and the sentences: rows
are taken when their values are exactly of the declared types, within their limits, and as JSON shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from math import isfinite
from types import NoneType
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.declaration import Declaration
from trivium.engine.rows.quick_check import QuickCheck
from trivium.types.convert import StructBuilder
from trivium.types.normalise import Normaliser
from trivium.types.spec import FieldSpec, TypeSpec
from trivium.types.structs import derive

_encode: Final = msgspec.json.encode


class RowJson:
    """Makes JSON objects of rows of one declaration: the declared columns under their Python names.

    Rows whose event time is outside of [earliest, latest] are never beyond doubt.
    """

    def __init__(self, declaration: Declaration, earliest: datetime, latest: datetime) -> None:
        self._builder = StructBuilder(declaration.row, declaration.row_specs)
        self._quick = QuickCheck(declaration, earliest, latest)
        fields = self._quick.fields
        self._simple = _writes_all_by_name(declaration.row) and all(_is_simple(spec.type) for spec in fields)
        self._read_back = _ReadBack(declaration.row, fields) if self._simple and not self._quick.applies else None

    def written(self, rows: Sequence[Any], parents: Sequence[int]) -> Sequence[Any] | None:
        """Return the rows as structs that encode to a JSON object each, None when one is not beyond doubt.

        `parents` is the input each row came from.
        """
        if not rows or not self._simple:
            return None if rows else rows
        if self._read_back is None:
            return None if self._quick.size(rows, parents) is None else rows
        values = self._quick.values(rows)
        made = None if values is None else self._read_back.written(rows, values)
        return made if made is not None and values is not None and self._quick.agree(rows, values, parents) else None

    def from_columns(self, columns: pa.RecordBatch) -> Sequence[Any]:
        """Return checked columns as structs that encode to a JSON object each."""
        return self._builder.build(columns)


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
