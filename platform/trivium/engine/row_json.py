"""Rows an executor returned, as JSON: the answer of a request, without a table in between.

`write` takes what is beyond doubt and leaves everything else to `emit`, which has the rules and the sentences: a row is
taken when its values are exactly of the declared types and its JSON reads back under them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from types import NoneType
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.types as pt
from msgspec.structs import astuple

from trivium.contract.declaration import Declaration
from trivium.contract.types import FieldSpec, TypeSpec
from trivium.engine.convert import StructBuilder
from trivium.engine.decoder_types import derive
from trivium.engine.emit import exact_type
from trivium.engine.normalise import Normaliser
from trivium.engine.record_checks import FAILURES

_DOUBTS: Final = (*FAILURES, TypeError, OverflowError, AttributeError)
_encode: Final = msgspec.json.encode


class RowJson:
    """Writes rows of one declaration as JSON objects of the declared columns, under their Python names."""

    def __init__(self, declaration: Declaration, earliest: pa.Scalar, latest: pa.Scalar) -> None:
        specs = declaration.row_specs
        self._row = declaration.row
        self._builder = StructBuilder(declaration.row, specs)
        self._decode = msgspec.json.Decoder(derive(declaration.row, specs)).decode
        self._normaliser = Normaliser(specs)
        self._moments = (_moment(earliest), _moment(latest))
        self._simple = _writes_all_by_name(declaration.row) and all(_is_simple(spec.type) for spec in specs)
        by_name = {spec.name: spec for spec in specs}
        in_order = [by_name[name] for name in declaration.row.__struct_fields__]
        self._types = [_exact(spec) for spec in in_order]
        items = [(at, spec.type.item) for at, spec in enumerate(in_order) if spec.type.item is not None]
        self._items = [(at, {exact_type(item)}) for at, item in items]
        self._floats = [at for at, spec in enumerate(in_order) if pt.is_floating(spec.type.arrow)]
        self._vectors = [at for at, item in items if pt.is_floating(item.arrow)]
        self._seen: set[tuple[type, ...]] = set()

    def write(self, rows: Sequence[Any], parents: Sequence[int]) -> list[msgspec.Raw] | None:
        """One JSON object a row, or None when a row is not beyond doubt. `parents` is the input each row came from."""
        if not self._simple:
            return None
        written = []
        for row in rows:
            text = self._one(row)
            if text is None:
                return None
            written.append(msgspec.Raw(text))
        if len(set(parents)) < len(rows) and _repeats(rows, parents):
            return None
        return written

    def from_columns(self, columns: pa.RecordBatch) -> list[msgspec.Raw]:
        """One JSON object a row of checked columns."""
        return [msgspec.Raw(_encode(row)) for row in self._builder.build(columns)]

    def _one(self, row: Any) -> bytes | None:
        if type(row) is not self._row or not self._beyond_doubt(astuple(row)):
            return None
        try:
            text = _encode(row)
            read = self._decode(text)
            if self._normaliser and self._normaliser.suspects([read]):
                self._normaliser(read)
                text = _encode(read)
        except _DOUBTS:
            return None
        return text if self._moments[0] <= read.event_time < self._moments[1] else None

    def _beyond_doubt(self, values: tuple[Any, ...]) -> bool:
        signature = tuple(map(type, values))
        if signature not in self._seen:
            if not all(kind in allowed for kind, allowed in zip(signature, self._types, strict=True)):
                return False
            self._seen.add(signature)
        return (
            all(values[at] is None or kinds.issuperset(map(type, values[at])) for at, kinds in self._items)
            and all(values[at] is None or isfinite(values[at]) for at in self._floats)
            and all(values[at] is None or all(map(isfinite, values[at])) for at in self._vectors)
        )


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
        return spec.item.item is None and not spec.arrow.value_field.nullable and _is_simple(spec.item)
    return True


def _repeats(rows: Sequence[Any], parents: Sequence[int]) -> bool:
    identities = {(parent, row.event_id) for parent, row in zip(parents, rows, strict=True)}
    return len(identities) < len(rows)


def _moment(scalar: pa.Scalar) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=scalar.value)
