"""Declared types as data: a field, its type, and the kind that knows how values of the type are handled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import inspect as ms

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

UTC_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")
Mask = npt.NDArray[np.bool_]


@dataclass
class Conformed:
    """A column in the declared type, and the rows (masks over the input) whose value does not fit, with the reason.

    A row that does not fit is null in `column`.
    """

    column: pa.Array
    flaws: list[tuple[Mask, str]] = field(default_factory=list)

    def refuse(self, bad: Any, reason: str) -> None:
        """Mark rows (a mask, or booleans where null is false) as not fitting."""
        mask = mask_of(bad)
        if mask.any():
            self.flaws.append((mask, reason))
            self.column = pc.if_else(pa.array(mask), pa.scalar(None, self.column.type), self.column)


def mask_of(values: Any) -> Mask:
    """Return a column of booleans as a mask; null is false."""
    if isinstance(values, np.ndarray):
        return values
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


class Kind(ABC):
    """A kind of field: all that the engine needs to know of its values, in JSON, in Python and in Arrow.

    Kinds have no state; what differs between two types of one kind is in the TypeSpec. The modules of
    `trivium.types.kinds` hold one each.
    """

    info: ClassVar[tuple[type[ms.Type], ...]]
    """msgspec's descriptions of the annotations of this kind."""
    exact: ClassVar[tuple[type, ...]] = ()
    """Python's types of its values; those of the first are written as they stand."""
    lookalikes: ClassVar[tuple[type, ...]] = ()
    """Subclasses of `exact` that are no values of this kind: a bool is an int to Python."""
    plain: ClassVar[bool] = False
    """True where one msgspec conversion holds a row's value to its type and JSON shows it as Python has it."""
    reads_back: ClassVar[bool] = True
    """True where the JSON of a row's value, decoded and normalised, is what the column holds."""
    fractional: ClassVar[bool] = False
    """True where the JSON text of a value may have digits below a microsecond, for which there is no place."""
    noun: ClassVar[str] = ""
    """Name of values that are no key of a lookup though their columns have single values."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @abstractmethod
    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        """Return the type that msgspec describes as `info`, `extra` being what trivium's annotations add.

        Raises:
            ContractError: the type has no column, naming `where` it stands.
        """

    def owns(self, arrow: pa.DataType) -> bool:
        """Tell whether values of an Arrow type are of this kind where no annotation says so."""
        return False

    def declared(self, spec: TypeSpec) -> pa.DataType:
        """Return the Arrow type with the nullability that is declared."""
        return spec.arrow

    def inside(self, spec: TypeSpec) -> list[TypeSpec]:
        """Return the types inside of this one."""
        return []

    def inside_values(self, spec: TypeSpec, values: Sequence[Any]) -> list[tuple[TypeSpec, list[Any]]]:
        """Return the types inside of this one, each with what values, none of them null, hold of it."""
        return []

    def wide(self, spec: TypeSpec) -> pa.DataType:
        """Return the Arrow type in which a row's values can be judged before they become narrower."""
        return spec.arrow

    def have_places(self, values: Sequence[Any]) -> bool:
        """Return whether values of an exact type, inside of others, all have a place in the column.

        What a writer refuses needs no look here.
        """
        return True

    def around(self, inner: Any) -> Any:
        """Return the annotation of values of this kind with items of another type."""
        raise NotImplementedError

    def wired(self, spec: TypeSpec) -> pa.DataType:
        """Return the Arrow type with the names that fields have in JSON and in typed columns."""
        return spec.arrow

    def types(self, spec: TypeSpec) -> tuple[type, ...]:
        """Return Python's types of the values of a row."""
        return self.exact

    @abstractmethod
    def annotation(self, spec: TypeSpec) -> Any:
        """Return the type as which msgspec decodes a value."""

    def nullable(self, spec: TypeSpec) -> Any:
        """Return the type as which msgspec decodes a value or null."""
        return self.annotation(spec) | None

    @abstractmethod
    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        """Return why a typed column of type `arrow` cannot be read, or None where its values can be looked at."""

    @abstractmethod
    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        """Cast a typed column without a problem of its own to `spec.arrow` and find the rows that do not fit."""

    def fits(self, column: pa.Array) -> bool:
        """Tell whether `conform` would leave a column of these values, of exactly this type, as it is, limits aside."""
        return False

    def writer(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        """Return how a value becomes one that pyarrow takes, None where it is one already.

        The function raises ValueError for a value without a place in the column.
        """
        return None

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        """Return how a value of `to_pylist` becomes one of a row, None where it is one already."""
        return None

    def column_reader(self, spec: TypeSpec) -> Callable[[pa.Array], list[Any]]:
        """Return how a column becomes the values of rows."""
        read = self.value_reader(spec)
        if read is None:
            return lambda column: column.to_pylist()
        return lambda column: [None if value is None else read(value) for value in column.to_pylist()]

    def from_json(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        """Return how a value of a row's JSON becomes one of `to_pylist`, None where it is one, or plain text for both.

        The function raises ValueError for what is no value of this kind.
        """
        return None

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        """Return how a decoded value is normalised, None where there is nothing to do.

        The function raises ValueError for a value without a place in the column.
        """
        return None

    def written(self, value: Any, spec: TypeSpec) -> Any:
        """Return a row's value, of one of `types`, as pyarrow takes it.

        Raises:
            TypeError, ValueError: it has no place in the column, or something inside it is of another type.
        """
        write = self.writer(spec)
        return value if write is None else write(value)

    @abstractmethod
    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        """Return a strategy of values that pyarrow takes for this type."""

    def json_values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        """Return a strategy of values that msgspec writes as this type's JSON."""
        return self.values(spec)


@dataclass(frozen=True)
class TypeSpec:
    """One type: its Arrow twin, the constraints beside it, and what is inside it.

    `limits` holds msgspec.Meta's names (`ge`, `le`, `gt`, `lt`, `multiple_of`, `min_length`, `max_length`, `pattern`).
    `python` is the enum or struct class; `values` a Literal's values; `item` a list's element or a map's value,
    `key` a map's key; `fields` a struct's; `item_nullable` says whether an element may be null.

    In `arrow` everything inside another value is nullable, whatever is declared: a null struct has no children to ask
    for, and Arrow's casts, DuckDB and other readers ask for them all the same. The engine holds values to `fields` and
    `item_nullable`.
    """

    arrow: pa.DataType
    kind: Kind
    limits: dict[str, Any] = field(default_factory=dict)
    python: type | None = None
    values: tuple[Any, ...] = ()
    item: TypeSpec | None = None
    key: TypeSpec | None = None
    item_nullable: bool = False
    fields: tuple[FieldSpec, ...] = ()

    @property
    def declared(self) -> pa.DataType:
        """The Arrow type with the nullability that is declared, to be shown and hashed; columns have `arrow`."""
        return self.kind.declared(self)

    @property
    def exact(self) -> type:
        """The Python type whose values are written as they stand."""
        return self.kind.types(self)[0]

    def written(self, value: Any) -> Any:
        """Return a row's value as pyarrow takes it. NumPy's scalars count as Python's.

        Raises:
            TypeError, ValueError: it is not of the declared type, or something inside it is not.
        """
        plain: Any = value.item() if isinstance(value, np.generic) else value
        if plain is None:
            return None
        allowed = self.kind.types(self)
        if not isinstance(plain, allowed) or isinstance(plain, self.kind.lookalikes):
            message = f"not a {' or '.join(kind.__name__ for kind in allowed)}"
            raise TypeError(message)
        return self.kind.written(plain, self)


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


def without_wire_names(fields: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
    """Return the same fields, each under its Python name only: rows that are written have no other."""
    return tuple(replace(spec, wire=spec.name, type=_unwired(spec.type)) for spec in fields)


def _unwired(spec: TypeSpec) -> TypeSpec:
    item = None if spec.item is None else _unwired(spec.item)
    return replace(spec, item=item, fields=without_wire_names(spec.fields))


def arrow_schema(fields: tuple[FieldSpec, ...]) -> pa.Schema:
    """Return the Arrow schema of a row's fields, under their Python names."""
    return pa.schema([spec.arrow for spec in fields])
