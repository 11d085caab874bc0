"""Rows an executor returned, as JSON: the answer of a request, without a table in between.

`written` takes what is beyond doubt and leaves everything else to `emit`, which has the rules and the sentences: rows
are taken when their values are exactly of the declared types and their JSON reads back under them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from math import isfinite
from types import NoneType
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.types as pt
from msgspec.structs import astuple

from trivium.contract.declaration import Declaration
from trivium.engine.emit import exact_type
from trivium.types.convert import StructBuilder
from trivium.types.decoder_types import derive
from trivium.types.normalise import Normaliser
from trivium.types.spec import FieldSpec, TypeSpec

_encode: Final = msgspec.json.encode


class RowJson:
    """Makes JSON objects of rows of one declaration: the declared columns under their Python names."""

    def __init__(self, declaration: Declaration, earliest: datetime, latest: datetime) -> None:
        specs = declaration.row_specs
        self._row = declaration.row
        self._builder = StructBuilder(declaration.row, specs)
        self._decode = msgspec.json.Decoder(list.__class_getitem__(derive(declaration.row, specs))).decode
        self._normaliser = Normaliser(specs)
        self._moments = (earliest, latest)
        self._simple = _writes_all_by_name(declaration.row) and all(_is_simple(spec.type) for spec in specs)
        by_name = {spec.name: spec for spec in specs}
        in_order = [by_name[name] for name in declaration.row.__struct_fields__]
        self._plain = [exact_type(spec.type) for spec in in_order]
        self._types = [_exact(spec) for spec in in_order]
        self._items = [(at, {exact_type(item)}) for at, spec in enumerate(in_order) if (item := spec.type.item)]
        # JSON has no NaN and calls it null, which only a nullable field lets pass.
        self._floats = [at for at, spec in enumerate(in_order) if spec.nullable and pt.is_floating(spec.type.arrow)]

    def written(self, rows: Sequence[Any], parents: Sequence[int]) -> Sequence[Any] | None:
        """The rows as structs that encode to a JSON object each, or None when one is not beyond doubt.

        `parents` is the input each row came from.
        """
        if not rows or not self._simple or set(map(type, rows)) != {self._row} or not self._of_declared_types(rows):
            return None if rows else rows
        try:
            read = self._decode(_encode(rows))
            if self._normaliser and (odd := list(self._normaliser.suspects(read))):
                for at in odd:
                    self._normaliser(read[at])
                rows = read
        except Exception:  # noqa: BLE001 - a time zone, for one, has code of its own
            return None
        times = [row.event_time for row in read]
        if not (self._moments[0] <= min(times) and max(times) <= self._moments[1]):
            return None
        return None if len(set(parents)) < len(rows) and _repeats(rows, parents) else rows

    def from_columns(self, columns: pa.RecordBatch) -> Sequence[Any]:
        """Checked columns as structs that encode to a JSON object each."""
        return self._builder.build(columns)

    def _of_declared_types(self, rows: Sequence[Any]) -> bool:
        width = len(self._plain)
        flat = list(chain.from_iterable(map(astuple, rows)))
        if list(map(type, flat)) != self._plain * len(rows) and not all(
            kinds.issuperset(map(type, flat[at::width])) for at, kinds in enumerate(self._types)
        ):
            return False
        return all(
            kinds.issuperset(map(type, chain.from_iterable(filter(None, flat[at::width])))) for at, kinds in self._items
        ) and all(all(map(isfinite, filter(None, flat[at::width]))) for at in self._floats)


def _exact(spec: FieldSpec) -> set[type]:
    return {exact_type(spec.type), NoneType} if spec.nullable else {exact_type(spec.type)}


def _writes_all_by_name(row: type[msgspec.Struct]) -> bool:
    config = row.__struct_config__
    own_names = row.__struct_encode_fields__ == row.__struct_fields__
    return own_names and not (config.omit_defaults or config.array_like or config.tag is not None)


def _is_simple(spec: TypeSpec) -> bool:
    """Whether a value's JSON says all there is to say about it; the limits of a Float32 hold for its rounded value."""
    if spec.fields or (spec.limits and pt.is_float32(spec.arrow)):
        return False
    if spec.item is not None:
        return spec.item.item is None and not spec.item_nullable and _is_simple(spec.item)
    return True


def _repeats(rows: Sequence[Any], parents: Sequence[int]) -> bool:
    identities = {(parent, row.event_id) for parent, row in zip(parents, rows, strict=True)}
    return len(identities) < len(rows)
