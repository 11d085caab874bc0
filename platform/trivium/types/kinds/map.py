"""Maps from text to values of one type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.core.errors import ContractError
from trivium.types.column_types import type_problem, unless
from trivium.types.conform import conform
from trivium.types.limits import LENGTHS, check_lengths, limited, limits_of
from trivium.types.normalise import Misfit
from trivium.types.rows import type_of, without_none
from trivium.types.spec import Conformed, FieldSpec, Kind, TypeSpec, mask_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Entries(Kind):
    """`dict[str, T]`, as map<string, T>; keys stand once each, in the order of their code points."""

    info = (ms.DictType,)
    exact = (dict,)
    reads_back = False

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        key = type_of(info.key_type, {}, f"{where} keys")
        if str not in key.kind.exact or not pt.is_string(key.arrow):
            raise ContractError(f"{where}: keys of a map are text", hint="dict[str, T]")
        inner, nullable = without_none(info.value_type, f"{where}[]")
        item = type_of(inner, {}, f"{where}[]")
        limits = limits_of(info, LENGTHS)
        return TypeSpec(pa.map_(pa.string(), item.arrow), self, limits, key=key, item=item, item_nullable=nullable)

    def declared(self, spec: TypeSpec) -> pa.DataType:
        return pa.map_(pa.string(), pa.field("value", _item(spec).declared, spec.item_nullable))

    def inside(self, spec: TypeSpec) -> list[TypeSpec]:
        return [_key(spec), _item(spec)]

    def inside_values(self, spec: TypeSpec, values: Sequence[Any]) -> list[tuple[TypeSpec, list[Any]]]:
        items = chain.from_iterable(each.values() for each in values)
        return [(_key(spec), list(chain.from_iterable(values))), (_item(spec), list(items))]

    def around(self, inner: Any) -> Any:
        return dict.__class_getitem__((str, inner))

    def wired(self, spec: TypeSpec) -> pa.DataType:
        return pa.map_(pa.string(), _item(spec).kind.wired(_item(spec)))

    def annotation(self, spec: TypeSpec) -> Any:
        key, item = _key(spec), _item(spec)
        inner = item.kind.nullable(item) if spec.item_nullable else item.kind.annotation(item)
        return limited(dict.__class_getitem__((key.kind.annotation(key), inner)), spec.limits)

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        if not pt.is_map(arrow):
            return unless(False, arrow, spec)
        if problem := type_problem(arrow.key_type, _key(spec), timezone):
            return f"keys: {problem}"
        return type_problem(arrow.item_type, _item(spec), timezone)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        pairs = _Pairs.of(column)
        key = FieldSpec("key", "key", _key(spec), nullable=False, required=True)
        keys = conform(pairs.keys, key, timezone)
        bad_keys = [(np.isin(np.arange(len(column)), pairs.parents[bad]), why) for bad, why in keys.flaws]
        pairs.keys = pc.fill_null(keys.column, "")
        pairs = pairs.in_order()
        item = FieldSpec("value", "value", _item(spec), spec.item_nullable, required=True)
        items = conform(pairs.items, item, timezone)
        places = pa.array(np.concatenate([[0], np.cumsum(pairs.lengths())]), pa.int32())
        mask = pa.array(~pairs.present)
        out = Conformed(pa.MapArray.from_arrays(places, pairs.keys, items.column, type=spec.arrow, mask=mask))
        for bad, reason in bad_keys:
            out.refuse(bad, f"a key: {reason}")
        for bad, reason in items.flaws:
            out.refuse(np.isin(np.arange(len(column)), pairs.parents[bad]), f"a value: {reason}")
        check_lengths(out, pa.array(pairs.lengths(), mask=~pairs.present), spec.limits)
        return out

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        write = _item(spec).kind.writer(_item(spec))
        if write is None:
            return lambda value: sorted(value.items(), key=_first)
        return lambda value: [(key, None if each is None else write(each)) for key, each in sorted_items(value)]

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        read = _item(spec).kind.value_reader(_item(spec))
        if read is None:
            return dict
        return lambda pairs: {key: None if each is None else read(each) for key, each in pairs}

    def from_json(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        read = _item(spec).kind.from_json(_item(spec))
        if read is None:
            return None
        return lambda pairs: {key: None if each is None else read(each) for key, each in dict(pairs).items()}

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        fix_item = _item(spec).kind.fix(_item(spec), spec.item_nullable)

        def fix(value: Any) -> Any:
            """Return the map in the order in which columns have it, so that both forms give an executor the same."""
            items = sorted_items(value)
            if fix_item is None:
                return dict(items)
            try:
                return {key: None if each is None else fix_item(each) for key, each in items}
            except ValueError as error:
                raise Misfit.at("[...]", error) from error

        return fix

    def written(self, value: Any, spec: TypeSpec) -> Any:
        return [(_key(spec).written(key), _item(spec).written(each)) for key, each in sorted_items(value)]

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return _maps(spec, _item(spec).kind.values(_item(spec))).map(sorted_items)

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        return _maps(spec, _item(spec).kind.json_values(_item(spec)))


@dataclass
class _Pairs:
    """The keys and values of the maps that are there, and the row that each pair is of."""

    keys: pa.Array
    items: pa.Array
    parents: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, column: pa.MapArray) -> _Pairs:
        count = len(column)
        present = ~mask_of(pc.is_null(column))
        if not count:
            return cls(column.keys[:0], column.items[:0], np.empty(0, np.int64), present)
        bounds = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + count + 1]
        parents = np.repeat(np.arange(count), np.diff(bounds))
        keys, items = (each.slice(bounds[0], len(parents)) for each in (column.keys, column.items))
        kept = present[parents]
        if kept.all():
            return cls(keys, items, parents, present)
        return cls(keys.filter(pa.array(kept)), items.filter(pa.array(kept)), parents[kept], present)

    def in_order(self) -> _Pairs:
        """Return the pairs by key inside of each row, of equal keys the last."""
        if self._rises():
            return self
        rows = pa.table({"row": self.parents, "key": self.keys})
        order = pc.sort_indices(rows, [("row", "ascending"), ("key", "ascending")])  # a stable sort
        keys, parents = self.keys.take(order), self.parents[order.to_numpy()]
        last = np.append((parents[1:] != parents[:-1]) | mask_of(pc.not_equal(keys[1:], keys[:-1])), True)
        chosen = order.filter(pa.array(last))
        return _Pairs(keys.filter(pa.array(last)), self.items.take(chosen), parents[last], self.present)

    def lengths(self) -> npt.NDArray[np.int64]:
        return np.bincount(self.parents, minlength=len(self.present))

    def _rises(self) -> bool:
        if len(self.keys) < 2:
            return True
        greater = mask_of(pc.greater(self.keys[1:], self.keys[:-1]))
        return bool(np.all(greater | (self.parents[1:] != self.parents[:-1])))


def sorted_items(value: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of a map in the order of their keys' code points, which is that of their bytes in UTF-8."""
    return sorted(value.items(), key=_first)


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def _key(spec: TypeSpec) -> TypeSpec:
    assert spec.key is not None
    return spec.key


def _item(spec: TypeSpec) -> TypeSpec:
    assert spec.item is not None
    return spec.item


def _maps(spec: TypeSpec, item: SearchStrategy[Any]) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    key = _key(spec)
    least, most = spec.limits.get("min_length", 0), spec.limits.get("max_length")
    item = item | st.none() if spec.item_nullable else item
    return st.dictionaries(key.kind.values(key), item, min_size=least, max_size=max(least, 4) if most is None else most)
