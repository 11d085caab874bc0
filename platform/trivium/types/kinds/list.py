"""Lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import is_list, type_problem, unless
from trivium.types.conform import conform
from trivium.types.limits import LENGTHS, check_lengths, limited, limits_of
from trivium.types.normalise import Misfit
from trivium.types.rows import type_of, without_none
from trivium.types.spec import Conformed, FieldSpec, Kind, TypeSpec, mask_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Views must not be cast: pyarrow 26 makes lists of them that are not whole.
_AS_THEY_ARE: Final = (pt.is_large_list, pt.is_list_view, pt.is_large_list_view)
_LONG: Final = 300


class Items(Kind):
    """`tuple[T, ...]`, as list<T>."""

    info = (ms.VarTupleType,)
    exact = (tuple, list)

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        inner, nullable = without_none(info.item_type, f"{where}[]")
        item = type_of(inner, {}, f"{where}[]")
        arrow = pa.list_(pa.field("item", item.arrow))
        return TypeSpec(arrow, self, limits_of(info, LENGTHS), item=item, item_nullable=nullable)

    def declared(self, spec: TypeSpec) -> pa.DataType:
        return pa.list_(pa.field("item", _item(spec).declared, spec.item_nullable))

    def inside(self, spec: TypeSpec) -> list[TypeSpec]:
        return [_item(spec)]

    def inside_values(self, spec: TypeSpec, values: Sequence[Any]) -> list[tuple[TypeSpec, list[Any]]]:
        return [(_item(spec), list(chain.from_iterable(values)))]

    def around(self, inner: Any) -> Any:
        return tuple.__class_getitem__((inner, ...))

    def wired(self, spec: TypeSpec) -> pa.DataType:
        return pa.list_(pa.field("item", _item(spec).kind.wired(_item(spec))))

    def annotation(self, spec: TypeSpec) -> Any:
        item = _item(spec)
        inner = item.kind.nullable(item) if spec.item_nullable else item.kind.annotation(item)
        return limited(self.around(inner), spec.limits)

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        if is_list(arrow):
            return type_problem(arrow.value_type, _item(spec), timezone)
        return unless(False, arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        if not any(matches(column.type) for matches in _AS_THEY_ARE):
            column = column.cast(pa.large_list(column.type.value_type))
        item = FieldSpec("item", "item", _item(spec), spec.item_nullable, required=True)
        inner = conform(column.flatten(), item, timezone)
        lengths = pc.list_value_length(column)
        offsets = np.concatenate([[0], np.cumsum(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False))])
        mask = pa.array(mask_of(pc.is_null(column)))
        places = pa.array(offsets, pa.int32())
        out = Conformed(pa.ListArray.from_arrays(places, inner.column, type=spec.arrow, mask=mask))
        parents = pc.list_parent_indices(column).to_numpy()
        for bad, reason in inner.flaws:
            out.refuse(np.isin(np.arange(len(column)), parents[bad]), f"an item: {reason}")
        check_lengths(out, lengths, spec.limits)
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        write = _item(spec).kind.writer(_item(spec))
        if write is None:
            return None
        return lambda values: [None if value is None else write(value) for value in values]

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        read = _item(spec).kind.value_reader(_item(spec))
        if read is None:
            return tuple
        return lambda values: tuple(None if value is None else read(value) for value in values)

    def from_json(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        read = _item(spec).kind.from_json(_item(spec))
        if read is None:
            return None
        return lambda values: [None if value is None else read(value) for value in values]

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        fix = _item(spec).kind.fix(_item(spec), spec.item_nullable)
        if fix is None:
            return None

        def fix_items(values: Any) -> Any:
            try:
                return tuple(None if value is None else fix(value) for value in values)
            except ValueError as error:
                raise Misfit.at("[...]", error) from error

        return fix_items

    def written(self, value: Any, spec: TypeSpec) -> Any:
        return [_item(spec).written(each) for each in value]

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return _lists(spec, _item(spec).kind.values(_item(spec)))

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return _lists(spec, _item(spec).kind.json_values(_item(spec)))


def _item(spec: TypeSpec) -> TypeSpec:
    assert spec.item is not None
    return spec.item


def _lists(spec: TypeSpec, item: SearchStrategy[Any]) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    item = item | st.none() if spec.item_nullable else item
    least, most = spec.limits.get("min_length", 0), spec.limits.get("max_length")
    short = st.lists(item, min_size=least, max_size=max(least, 4) if most is None else most)
    if most is not None or _holds_list(_item(spec)):  # the lengths of lists in lists multiply
        return short
    return short | item.map(lambda value: [value] * max(_LONG, least))


def _holds_list(spec: TypeSpec) -> bool:
    return spec.item is not None or any(map(_holds_list, spec.kind.inside(spec)))
