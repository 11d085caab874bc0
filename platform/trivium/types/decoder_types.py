"""The structs the engine builds: an author's class with the engine's answers added to its types.

A class derived for decoding carries the routed field's name and narrowed annotations: integers to their width,
datetimes to aware ones, decimals to the JSON text that the normaliser reads. A class derived for building from columns
takes its fields by position, at C speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.types as pt

from trivium.types.normalise import contains_time
from trivium.types.spec import FieldSpec, TypeSpec


def derive(row: type[msgspec.Struct], fields: Sequence[FieldSpec], *, tag_field: str | None = None) -> Any:
    """A subclass of `row` as the decoder needs it. With `tag_field` it is tagged by that field of the record."""
    defaults = {spec.name: spec.default for spec in fields if not spec.required}
    tag = row.__struct_config__.tag if tag_field else False
    return _subclass(row, fields, defaults, tag=tag, tag_field=tag_field)


def derive_positional(row: type[msgspec.Struct], fields: Sequence[FieldSpec]) -> Any:
    """A subclass of `row` whose constructor takes every field by position, in the order of `__struct_fields__`.

    It gives every field a default, since msgspec keeps the order of the fields and wants required ones first.
    """
    return _subclass(row, fields, dict.fromkeys(spec.name for spec in fields), kw_only=False, **_WHOLE)


_WHOLE: Final[dict[str, Any]] = {"tag": False, "omit_defaults": False}


def _subclass(row: type[msgspec.Struct], fields: Sequence[FieldSpec], defaults: dict[str, Any], **config: Any) -> Any:
    namespace: dict[str, Any] = {
        "__annotations__": {spec.name: annotation(spec) for spec in fields},
        "__module__": row.__module__,
        "__qualname__": row.__qualname__,
        **defaults,
    }
    rename = {spec.name: spec.wire for spec in fields}
    metaclass: Any = type(row)
    return metaclass(row.__name__, (row,), namespace, rename=rename, gc=False, frozen=True, **config)


def annotation(spec: FieldSpec) -> Any:
    """The type a field is decoded as."""
    return _nullable(spec.type) if spec.nullable else _annotation(spec.type)


def _nullable(spec: TypeSpec) -> Any:
    # msgspec takes nothing but null for `Raw | None`; the text of a null is for the normaliser too.
    return _NULLABLE_DECIMAL if pt.is_decimal(spec.arrow) else _annotation(spec) | None


def _annotation(spec: TypeSpec) -> Any:
    if spec.python is not None:
        return derive(spec.python, spec.fields) if spec.fields else spec.python
    if spec.values:
        return Literal[spec.values]
    if spec.item is not None:
        return _limited(tuple.__class_getitem__((_item(spec), ...)), spec.limits)
    if pt.is_timestamp(spec.arrow):
        return _limited(datetime, {"tz": True})
    return _limited(_python(spec.arrow), integer_limits(spec) if pt.is_integer(spec.arrow) else spec.limits)


def _item(spec: TypeSpec) -> Any:
    assert spec.item is not None
    return _nullable(spec.item) if spec.item_nullable else _annotation(spec.item)


def _limited(python: Any, limits: dict[str, Any]) -> Any:
    return Annotated[python, msgspec.Meta(**limits)] if limits else python


def integer_limits(spec: TypeSpec) -> dict[str, Any]:
    """An integer's declared limits joined with its width, as `ge` and `le`."""
    low, high = -(2 ** (spec.arrow.bit_width - 1)), 2 ** (spec.arrow.bit_width - 1) - 1
    limits = dict(spec.limits)
    low = max(low, limits.pop("ge", low), limits.pop("gt", low - 1) + 1)
    high = min(high, limits.pop("le", high), limits.pop("lt", high + 1) - 1)
    return {**limits, "ge": low, "le": high}


def fraction_guard(fields: Sequence[FieldSpec]) -> type[msgspec.Struct]:
    """A struct that reads only the times among `fields`, as text without digits below a microsecond."""
    times = [(spec.name, _guarded(spec.type), msgspec.UNSET) for spec in fields if contains_time(spec.type)]
    rename = {spec.name: spec.wire for spec in fields}
    return msgspec.defstruct("Times", times, rename=rename)


def _guarded(spec: TypeSpec) -> Any:
    if spec.fields:
        return fraction_guard(spec.fields) | None
    if spec.item is not None:
        return tuple.__class_getitem__((_guarded(spec.item), ...)) | None
    return Annotated[str, msgspec.Meta(pattern=r"^[^.]*(\.\d{1,6}(\D.*)?)?$")] | None


_SCHEMA: Final = {"type": "string", "format": "decimal"}
_DECIMAL: Final = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=_SCHEMA)]
_NULLABLE_DECIMAL: Final = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema={"anyOf": [_SCHEMA, {"type": "null"}]})
]
_PYTHON: Final[list[tuple[Callable[[pa.DataType], bool], Any]]] = [
    (pt.is_boolean, bool),
    (pt.is_integer, int),
    (pt.is_floating, float),
    (pt.is_string, str),
    (pt.is_binary, bytes),
    (pt.is_date32, date),
    (pt.is_decimal, _DECIMAL),
]


def _python(arrow: pa.DataType) -> Any:
    return next(python for matches, python in _PYTHON if matches(arrow))
