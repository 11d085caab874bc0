"""Rows inside of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms
from msgspec.structs import asdict

from trivium.types.column_types import type_problem, unless
from trivium.types.conform import conform
from trivium.types.normalise import Normaliser
from trivium.types.rows import struct_fields
from trivium.types.spec import Conformed, FieldSpec, Kind, TypeSpec, mask_of
from trivium.types.structs import derive, derive_positional

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class NestedRow(Kind):
    """A subclass of `Row`, as struct."""

    info = (ms.StructType,)

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        fields = struct_fields(info, where)
        arrow = pa.struct([spec.arrow.with_nullable(True) for spec in fields])
        return TypeSpec(arrow, self, python=info.cls, fields=fields)

    def declared(self, spec: TypeSpec) -> pa.DataType:
        return pa.struct([pa.field(each.name, each.type.declared, each.nullable) for each in spec.fields])

    def inside(self, spec: TypeSpec) -> list[TypeSpec]:
        return [child.type for child in spec.fields]

    def inside_values(self, spec: TypeSpec, values: Sequence[Any]) -> list[tuple[TypeSpec, list[Any]]]:
        return [(child.type, [getattr(value, child.name) for value in values]) for child in spec.fields]

    def wired(self, spec: TypeSpec) -> pa.DataType:
        return pa.struct([pa.field(child.wire, child.type.kind.wired(child.type)) for child in spec.fields])

    def types(self, spec: TypeSpec) -> tuple[type, ...]:
        return (_row(spec),)

    def annotation(self, spec: TypeSpec) -> Any:
        return _derived(_Shape(_row(spec), _wires(spec), spec.fields))

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        if not pt.is_struct(arrow):
            return unless(False, arrow, spec)
        for child in spec.fields:
            at = arrow.get_field_index(child.wire)
            if len(arrow.get_all_field_indices(child.wire)) > 1:
                return f"field {child.wire} is there more than once"
            if at < 0 and child.required:
                return f"field {child.wire} is missing"
            if at >= 0 and (problem := type_problem(arrow.field(at).type, child.type, timezone)):
                return f"{child.wire}: {problem}"
        return None

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        present = ~mask_of(pc.is_null(column))
        children, flaws = [], []
        for child in spec.fields:
            at = column.type.get_field_index(child.wire)
            values = pc.struct_field(column, [at]) if at >= 0 else pa.nulls(len(column), child.type.arrow)
            inner = conform(values, child, timezone)
            children.append(inner.column)
            flaws += [(mask & present, f"{child.name}: {reason}") for mask, reason in inner.flaws]
        rebuilt = pa.StructArray.from_arrays(children, fields=list(spec.arrow), mask=pa.array(~present))
        out = Conformed(rebuilt)
        for bad, reason in flaws:
            out.refuse(bad, reason)
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        writers = [(child.name, inner) for child in spec.fields if (inner := child.type.kind.writer(child.type))]

        def write(value: Any) -> dict[str, Any]:
            plain = asdict(value)
            for name, write_field in writers:
                if plain[name] is not None:
                    plain[name] = write_field(plain[name])
            return plain

        return write

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        struct = derive_positional(_row(spec), spec.fields)
        by_name = {child.name: child.type.kind.value_reader(child.type) or _as_it_is for child in spec.fields}
        readers = [(name, by_name[name]) for name in struct.__struct_fields__]
        return lambda value: struct(*(None if value[name] is None else read(value[name]) for name, read in readers))

    def from_json(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        readers = {child.name: read for child in spec.fields if (read := child.type.kind.from_json(child.type))}
        if not readers:
            return None
        return lambda value: {
            name: each if each is None or name not in readers else readers[name](each) for name, each in value.items()
        }

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        inner = Normaliser(spec.fields)
        if not inner:
            return None

        def fix(value: Any) -> Any:
            inner(value)
            return value

        return fix

    def written(self, value: Any, spec: TypeSpec) -> Any:
        return {child.name: child.type.written(getattr(value, child.name)) for child in spec.fields}

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.fixed_dictionaries({child.name: optional(child, child.type.kind.values) for child in spec.fields})

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return json_objects(spec.fields)


def json_objects(fields: Sequence[FieldSpec]) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of JSON objects of these fields; what is not required may be absent."""
    from hypothesis import strategies as st

    required = {spec.wire: optional(spec, spec.type.kind.json_values) for spec in fields if spec.required}
    others = {spec.wire: optional(spec, spec.type.kind.json_values) for spec in fields if not spec.required}
    return st.fixed_dictionaries(required, optional=others)


def optional(spec: FieldSpec, make: Callable[[TypeSpec], SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """Return a strategy of a field's values, null among them where it may be."""
    from hypothesis import strategies as st

    return make(spec.type) | st.none() if spec.nullable else make(spec.type)


@dataclass(frozen=True)
class _Shape:
    """A row class and the names of its fields, and of those inside, in JSON: all that decoding it depends on."""

    row: type[Any]
    wires: tuple[Any, ...]
    fields: tuple[FieldSpec, ...] = field(compare=False)


@lru_cache(maxsize=1024)
def _derived(shape: _Shape) -> Any:
    """Return the class that decodes a row, the same wherever the row stands: JSON Schema has one component a class."""
    return derive(shape.row, shape.fields)


def _wires(spec: TypeSpec) -> tuple[Any, ...]:
    if spec.fields:
        return tuple((child.wire, _wires(child.type)) for child in spec.fields)
    return tuple(map(_wires, spec.kind.inside(spec)))


def _row(spec: TypeSpec) -> type[Any]:
    assert spec.python is not None
    return spec.python


def _as_it_is(value: Any) -> Any:
    return value
