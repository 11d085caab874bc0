"""Choices among declared values: enums and Literals."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import inspect as ms

from trivium.core.errors import ContractError
from trivium.types.kinds.integer import Integer
from trivium.types.kinds.text import Text
from trivium.types.spec import Conformed, Kind, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class LiteralValue(Kind):
    """`Literal["a", "b"]` and `Literal[1, 2]`, as string and int64."""

    info: ClassVar[tuple[type[ms.Type], ...]] = (ms.LiteralType,)
    plain = True

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(_values_type(info.values, where), self, values=tuple(info.values))

    def types(self, spec: TypeSpec) -> tuple[type, ...]:
        return _kind_of_values(spec).exact

    def annotation(self, spec: TypeSpec) -> Any:
        return Literal[spec.values]

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return _kind_of_values(spec).column_problem(arrow, spec, timezone)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = _kind_of_values(spec).conform(column, spec, timezone)
        known = pc.is_in(out.column, pa.array([*spec.values, None], spec.arrow))  # a null is no flaw of its own
        out.refuse(pc.invert(known), f"expected one of {list(spec.values)}")
        return out

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.sampled_from(spec.values)


class Enumerated(LiteralValue):
    """An enum of `str` or `int`, as string and int64."""

    info = (ms.EnumType,)
    plain = False

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        values = tuple(member.value for member in info.cls)
        return TypeSpec(_values_type(values, where), self, python=info.cls, values=values)

    def types(self, spec: TypeSpec) -> tuple[type, ...]:
        return (*filter(None, [spec.python]), *({type(value) for value in spec.values}))

    def annotation(self, spec: TypeSpec) -> Any:
        return spec.python

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return lambda member: member.value

    def written(self, value: Any, spec: TypeSpec) -> Any:
        return value.value if isinstance(value, enum.Enum) else value

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return spec.python


def _values_type(values: tuple[Any, ...], where: str) -> pa.DataType:
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return pa.string()
    if kinds == {int}:
        return pa.int64()
    raise ContractError(f"{where}: values of {sorted(k.__name__ for k in kinds)}", hint="all str, or all int")


def _kind_of_values(spec: TypeSpec) -> Kind:
    return Text() if type(spec.values[0]) is str else Integer()
