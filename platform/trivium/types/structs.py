"""The structs the engine builds: an author's class with the engine's answers added to its types.

A class derived for decoding carries the routed field's name and narrowed annotations: integers to their width,
datetimes to aware ones, decimals to the JSON text that the normaliser reads. A class derived for building from columns
takes its fields by position, at C speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from trivium.types.normalise import contains_time
from trivium.types.spec import FieldSpec, TypeSpec


def derive(row: type[msgspec.Struct], fields: Sequence[FieldSpec]) -> Any:
    """Return a subclass of `row` as the decoder needs it."""
    return _subclass(row, fields, _defaults(fields), tag=False)


def derive_tagged(row: type[msgspec.Struct], fields: Sequence[FieldSpec], tag_field: str, tag: str) -> Any:
    """Return a subclass of `row` as the decoder needs it for records that hold `tag` in the field `tag_field`."""
    return _subclass(row, fields, _defaults(fields), tag=tag, tag_field=tag_field)


def _defaults(fields: Sequence[FieldSpec]) -> dict[str, Any]:
    return {spec.name: spec.default for spec in fields if not spec.required}


def derive_positional(row: type[msgspec.Struct], fields: Sequence[FieldSpec]) -> Any:
    """Return a subclass of `row` whose constructor takes every field by position, in the order of `__struct_fields__`.

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
    """Return the type a field is decoded as."""
    return spec.type.kind.nullable(spec.type) if spec.nullable else spec.type.kind.annotation(spec.type)


def fraction_guard(fields: Sequence[FieldSpec]) -> type[msgspec.Struct]:
    """Return a struct that reads only the times among `fields`, as text without digits below a microsecond."""
    times = [(spec.name, _guarded(spec.type), msgspec.UNSET) for spec in fields if contains_time(spec.type)]
    rename = {spec.name: spec.wire for spec in fields}
    return msgspec.defstruct("Times", times, rename=rename)


def _guarded(spec: TypeSpec) -> Any:
    if spec.fields:
        return fraction_guard(spec.fields) | None
    if spec.item is not None:
        return spec.kind.around(_guarded(spec.item)) | None
    return Annotated[str, msgspec.Meta(pattern=r"^[^.]*(\.\d{1,6}(\D.*)?)?$")] | None
