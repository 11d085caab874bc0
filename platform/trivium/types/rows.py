"""The fields of a row class, of the kinds there are.

| Python                                     | Arrow                | notes |
| bool                                       | bool                 | |
| int, Int8, Int16, Int32                    | int64, int8 … int32  | out of range is a reject |
| float, Float32                             | float64, float32     | finite only on the way in; Float32 is rounded |
| str, Literal["…"], enum of str             | string               | |
| enum of int, Literal[1, 2]                 | int64                | |
| RawJson                                    | string               | any JSON value, as its text |
| bytes                                      | binary               | base64 in JSON |
| datetime                                   | timestamp[us, UTC]   | aware only |
| date                                       | date32               | |
| time                                       | string               | ISO 8601, no zone |
| timedelta                                  | int64                | microseconds |
| UUID                                       | string               | lower case, with hyphens |
| Annotated[Decimal, Precision(p, s)]        | decimal128(p, s)     | exact or a reject |
| tuple[T, ...]                              | list<T>              | frozen means frozen: no list |
| dict[str, T]                               | map<string, T>       | in the order of its keys |
| a Row subclass                             | struct               | nested |
| T | None                                   | nullable             | on the way in the default is None |
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import inspect as ms

from trivium.core.errors import ContractError
from trivium.types import kinds
from trivium.types.spec import FieldSpec, Kind, TypeSpec


@cache
def all_kinds() -> dict[type[ms.Type], Kind]:
    """Return the kind of each of msgspec's descriptions of types: those that a module of `kinds` defines."""
    modules = [import_module(f"{kinds.__name__}.{each.name}") for each in iter_modules(kinds.__path__)]
    own = [
        each()
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Kind) and each.__module__ == module.__name__
    ]
    return {info: kind for kind in own for info in kind.info}


def spec_of_arrow(arrow: pa.DataType) -> TypeSpec:
    """Return the type of undeclared scalar values of an Arrow type, such as keys.

    Raises:
        ContractError: no kind of field has this Arrow type.
    """
    kind = next((each for each in all_kinds().values() if each.owns(arrow)), None)
    if kind is None:
        raise ContractError(f"no type of a field is a column of {arrow}", hint="a type of docs/contract.md")
    return TypeSpec(arrow, kind)


def row_fields(row: type[msgspec.Struct]) -> tuple[FieldSpec, ...]:
    """Return the fields of a row class.

    Raises:
        ContractError: a field whose type is not in the table, naming the field and what to write instead.
    """
    try:
        info = ms.type_info(row)
    except (TypeError, NameError) as error:
        raise ContractError(f"{row.__name__}: {error}", hint="check the annotations of its fields") from error
    _refuse_rows_in_themselves(info, ())
    return struct_fields(info, row.__name__)


def _refuse_rows_in_themselves(info: Any, holders: tuple[type, ...]) -> None:
    """Refuse a row class that is inside of itself, at whatever depth: a column has an end.

    Raises:
        ContractError: naming the classes on the way round.
    """
    if isinstance(info, ms.StructType):
        if info.cls in holders:
            way = " > ".join(each.__name__ for each in (*holders[holders.index(info.cls) :], info.cls))
            message = f"{holders[0].__name__} holds a row that holds itself ({way}); a column has no such type"
            raise ContractError(message, hint="a flat list of rows that name each other by an id, or JSON text")
        holders = (*holders, info.cls)
        inside = [field.type for field in info.fields]
    else:
        inside = [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
        names = ("type", "item_type", "key_type", "value_type")
        inside += [each for name in names if isinstance(each := getattr(info, name, None), ms.Type)]
    for each in inside:
        _refuse_rows_in_themselves(each, holders)


def struct_fields(info: ms.Type, where: str) -> tuple[FieldSpec, ...]:
    """Return the fields of a struct that msgspec describes as `info`.

    Raises:
        ContractError: it is no row, or a field has no column.
    """
    assert isinstance(info, ms.StructType)
    if not info.fields:
        raise ContractError(
            f"{info.cls.__name__} declares no field", hint="name: str, or whatever tells its rows apart"
        )
    if not info.cls.__struct_config__.frozen:
        message = f"{info.cls.__name__} is not frozen, so a row could change after it was read"
        raise ContractError(message, hint="derive it from trivium.Row, Event or NormalizedEvent")
    if hasattr(info.cls, "__post_init__"):
        message = f"{info.cls.__name__} has a __post_init__, which rows that are read as columns never run"
        raise ContractError(message, hint="msgspec.Meta limits on its fields, or a RejectError in process")
    return tuple(_field(spec, f"{where}.{spec.name}") for spec in info.fields)


def _field(spec: ms.Field, where: str) -> FieldSpec:
    if spec.default_factory is not msgspec.NODEFAULT:
        raise ContractError(f"{where} has a default factory", hint="a plain immutable default, such as None or ()")
    info, nullable = without_none(spec.type, where)
    default = None if spec.default is msgspec.NODEFAULT else spec.default
    if isinstance(default, datetime) and default.tzinfo is None:
        raise ContractError(f"{where} has a default without a time zone", hint="datetime(…, tzinfo=UTC)")
    return FieldSpec(spec.name, spec.encode_name, type_of(info, {}, where), nullable, spec.required, default)


def without_none(info: ms.Type, where: str) -> tuple[ms.Type, bool]:
    """Return a type without its None, and whether it had one.

    Raises:
        ContractError: two other types are in it.
    """
    if not isinstance(info, ms.UnionType):
        return info, False
    others = [option for option in info.types if not isinstance(option, ms.NoneType)]
    if len(others) != 1:
        message = f"{where} is a union of {len(others)} types; a column has one"
        raise ContractError(message, hint="one type, or that type | None")
    return others[0], len(others) < len(info.types)


def type_of(info: ms.Type, extra: dict[str, Any], where: str) -> TypeSpec:
    """Return the type that msgspec describes as `info`.

    Raises:
        ContractError: no kind of field is described so.
    """
    if isinstance(info, ms.Metadata):
        return type_of(info.type, {**extra, **(info.extra or {})}, where)
    kind: Kind | None = extra.get("kind") or all_kinds().get(type(info))
    if kind is None:
        raise ContractError(f"{where}: {_name(info)} has no Arrow type", hint=_advice(info))
    return kind.spec(info, extra, where)


def _name(info: ms.Type) -> str:
    custom = getattr(info, "cls", None)
    return custom.__name__ if custom else type(info).__name__.removesuffix("Type").lower()


def _advice(info: ms.Type) -> str:
    mutable = isinstance(info, ms.ListType | ms.SetType)
    return "tuple[T, ...] or a nested Row: fields must not be mutable" if mutable else "a type of docs/contract.md"
