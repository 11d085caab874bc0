"""The one table that maps a field's Python type to Arrow.

| Python                                     | Arrow                | notes |
| bool                                       | bool                 | |
| int, Int8, Int16, Int32                    | int64, int8 … int32  | out of range is a reject |
| float, Float32                             | float64, float32     | finite only on the way in; Float32 is rounded |
| str, Literal["…"], enum of str             | string               | |
| enum of int, Literal[1, 2]                 | int64                | |
| bytes                                      | binary               | base64 in JSON |
| datetime                                   | timestamp[us, UTC]   | aware only |
| date                                       | date32               | |
| Annotated[Decimal, Precision(p, s)]        | decimal128(p, s)     | exact or a reject |
| tuple[T, ...]                              | list<T>              | frozen means frozen: no list |
| a Row subclass                             | struct               | nested |
| T | None                                   | nullable             | on the way in the default is None |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
from msgspec import inspect as ms

from trivium.core.errors import ContractError

UTC_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")
MOST_DIGITS: Final = 38

Int8 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int8()})]
Int16 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int16()})]
Int32 = Annotated[int, msgspec.Meta(extra={"arrow": pa.int32()})]
Float32 = Annotated[float, msgspec.Meta(extra={"arrow": pa.float32()})]


def Precision(digits: int, scale: int) -> msgspec.Meta:
    """Annotate a Decimal with its digits, in all and after the point: `Annotated[Decimal, Precision(10, 2)]`.

    Raises:
        ContractError: not 1 to 38 digits in all, or not 0 to all of them after the point.
    """  # noqa: D402
    whole = type(digits) is int and type(scale) is int
    if not (whole and 1 <= digits <= MOST_DIGITS and 0 <= scale <= digits):
        message = (
            f"Precision({digits!r}, {scale!r}): expected 1 to {MOST_DIGITS} digits, of which 0 to all are decimals"
        )
        raise ContractError(message, hint="Precision(18, 4)")
    return msgspec.Meta(extra={"arrow": pa.decimal128(digits, scale)})


@dataclass(frozen=True)
class TypeSpec:
    """One type: its Arrow twin, the constraints beside it, and what is inside it.

    `limits` holds msgspec.Meta's names (`ge`, `le`, `gt`, `lt`, `multiple_of`, `min_length`, `max_length`, `pattern`).
    `python` is the enum or struct class; `values` a Literal's values; `item` a list's element; `fields` a struct's;
    `item_nullable` says whether an element may be null.

    In `arrow` everything inside another value is nullable, whatever is declared: a null struct has no children to ask
    for, and Arrow's casts, DuckDB and other readers ask for them all the same. The engine holds values to `fields` and
    `item_nullable`.
    """

    arrow: pa.DataType
    limits: dict[str, Any] = field(default_factory=dict)
    python: type | None = None
    values: tuple[Any, ...] = ()
    item: TypeSpec | None = None
    item_nullable: bool = False
    fields: tuple[FieldSpec, ...] = ()

    @property
    def declared(self) -> pa.DataType:
        """The Arrow type with the nullability that is declared, to be shown and hashed; columns have `arrow`."""
        if self.item is not None:
            return pa.list_(pa.field("item", self.item.declared, self.item_nullable))
        if self.fields:
            return pa.struct([pa.field(each.name, each.type.declared, each.nullable) for each in self.fields])
        return self.arrow


@dataclass(frozen=True)
class FieldSpec:
    """One field of a row: `name` in Python, `wire` in JSON and in typed columns."""

    name: str
    wire: str
    type: TypeSpec
    nullable: bool
    required: bool
    default: Any = None

    @property
    def arrow(self) -> pa.Field:
        """The column this field becomes, under its Python name."""
        return pa.field(self.name, self.type.arrow, nullable=self.nullable)


def row_fields(row: type[msgspec.Struct]) -> tuple[FieldSpec, ...]:
    """The fields of a row class.

    Raises:
        ContractError: a field whose type is not in the table, naming the field and what to write instead.
    """
    try:
        info = ms.type_info(row)
    except (TypeError, NameError) as error:
        raise ContractError(f"{row.__name__}: {error}", hint="check the annotations of its fields") from error
    _refuse_rows_in_themselves(info, ())
    return _struct_fields(info, row.__name__)


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


def without_wire_names(fields: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
    """The same fields, each under its Python name only: rows that are written have no other."""
    return tuple(replace(spec, wire=spec.name, type=_unwired(spec.type)) for spec in fields)


def _unwired(spec: TypeSpec) -> TypeSpec:
    item = None if spec.item is None else _unwired(spec.item)
    return replace(spec, item=item, fields=without_wire_names(spec.fields))


def arrow_schema(fields: tuple[FieldSpec, ...]) -> pa.Schema:
    """The Arrow schema of a row's fields, under their Python names."""
    return pa.schema([spec.arrow for spec in fields])


def _struct_fields(info: ms.Type, where: str) -> tuple[FieldSpec, ...]:
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
    info, nullable = _without_none(spec.type, where)
    default = None if spec.default is msgspec.NODEFAULT else spec.default
    if isinstance(default, datetime) and default.tzinfo is None:
        raise ContractError(f"{where} has a default without a time zone", hint="datetime(…, tzinfo=UTC)")
    return FieldSpec(spec.name, spec.encode_name, _type(info, {}, where), nullable, spec.required, default)


def _without_none(info: ms.Type, where: str) -> tuple[ms.Type, bool]:
    if not isinstance(info, ms.UnionType):
        return info, False
    others = [option for option in info.types if not isinstance(option, ms.NoneType)]
    if len(others) != 1:
        message = f"{where} is a union of {len(others)} types; a column has one"
        raise ContractError(message, hint="one type, or that type | None")
    return others[0], len(others) < len(info.types)


def _type(info: ms.Type, extra: dict[str, Any], where: str) -> TypeSpec:
    if isinstance(info, ms.Metadata):
        return _type(info.type, {**extra, **(info.extra or {})}, where)
    build = _TABLE.get(type(info))
    if build is None:
        raise ContractError(f"{where}: {_name(info)} has no Arrow type", hint=_advice(info))
    return build(info, extra, where)


def _limits(info: ms.Type, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(info, name)) is not None}


def _number(default: pa.DataType) -> Callable[[Any, dict[str, Any], str], TypeSpec]:
    def build(info: Any, extra: dict[str, Any], _where: str) -> TypeSpec:
        return TypeSpec(extra.get("arrow", default), _limits(info, "ge", "gt", "le", "lt", "multiple_of"))

    return build


def _sized(arrow: pa.DataType, *limits: str) -> Callable[[Any, dict[str, Any], str], TypeSpec]:
    return lambda info, extra, where: TypeSpec(arrow, _limits(info, "min_length", "max_length", *limits))


def _plain(arrow: pa.DataType) -> Callable[[Any, dict[str, Any], str], TypeSpec]:
    return lambda info, extra, where: TypeSpec(arrow)


def _decimal(_info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
    if "arrow" not in extra:
        raise ContractError(f"{where}: a Decimal needs its digits", hint="Annotated[Decimal, Precision(18, 4)]")
    return TypeSpec(extra["arrow"])


def _enum(info: Any, _extra: dict[str, Any], where: str) -> TypeSpec:
    values = tuple(member.value for member in info.cls)
    return TypeSpec(_values_type(values, where), python=info.cls, values=values)


def _literal(info: Any, _extra: dict[str, Any], where: str) -> TypeSpec:
    return TypeSpec(_values_type(info.values, where), values=tuple(info.values))


def _values_type(values: tuple[Any, ...], where: str) -> pa.DataType:
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return pa.string()
    if kinds == {int}:
        return pa.int64()
    raise ContractError(f"{where}: values of {sorted(k.__name__ for k in kinds)}", hint="all str, or all int")


def _list(info: Any, _extra: dict[str, Any], where: str) -> TypeSpec:
    inner, nullable = _without_none(info.item_type, f"{where}[]")
    item = _type(inner, {}, f"{where}[]")
    limits = _limits(info, "min_length", "max_length")
    return TypeSpec(pa.list_(pa.field("item", item.arrow)), limits, item=item, item_nullable=nullable)


def _struct(info: Any, _extra: dict[str, Any], where: str) -> TypeSpec:
    fields = _struct_fields(info, where)
    arrow = pa.struct([spec.arrow.with_nullable(True) for spec in fields])
    return TypeSpec(arrow, python=info.cls, fields=fields)


def _name(info: ms.Type) -> str:
    custom = getattr(info, "cls", None)
    return custom.__name__ if custom else type(info).__name__.removesuffix("Type").lower()


def _advice(info: ms.Type) -> str:
    mutable = isinstance(info, ms.ListType | ms.SetType | ms.DictType)
    return "tuple[T, ...] or a nested Row: fields must not be mutable" if mutable else "a type of docs/contract.md"


_TABLE: Final[dict[type[ms.Type], Callable[[Any, dict[str, Any], str], TypeSpec]]] = {
    ms.BoolType: _plain(pa.bool_()),
    ms.IntType: _number(pa.int64()),
    ms.FloatType: _number(pa.float64()),
    ms.StrType: _sized(pa.string(), "pattern"),
    ms.BytesType: _sized(pa.binary()),
    ms.DateTimeType: _plain(UTC_MICROSECONDS),
    ms.DateType: _plain(pa.date32()),
    ms.DecimalType: _decimal,
    ms.EnumType: _enum,
    ms.LiteralType: _literal,
    ms.VarTupleType: _list,
    ms.StructType: _struct,
}
