"""Generated row shapes: fields of every type of the contract, nested to a depth, as event, row and executors."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from trivium import Event, Executor, Float32, Int8, Int16, Int32, NormalizedEvent, Precision, RawJson, Row
from trivium.contract.rows import RowMeta

MOMENT: Final = datetime(2024, 1, 1, tzinfo=UTC)
DEPTH: Final = 4


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Grade(enum.IntEnum):
    LOW = 1
    HIGH = 2


LEAVES: Final[tuple[Any, ...]] = (
    bool, int, Int8, Int16, Int32, float, Float32, str, RawJson, bytes, datetime, date, time, timedelta, UUID,
    Colour, Grade, Literal["a", "b"], Literal[1, 2], Annotated[Decimal, Precision(9, 2)],
    Annotated[Decimal, Precision(38, 10)],
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """The fields of one event type: their annotations, and whether each is optional."""

    fields: tuple[tuple[Any, bool], ...]

    def executors(self, tag: str) -> tuple[type[Executor[Any, Any]], type[Executor[Any, Any]]]:
        """The executor that copies every field, as rows and as columns; its columns are named after the tag."""
        names = [f"{tag}_{number}" for number in range(len(self.fields))]
        event: Any = RowMeta(f"{tag}Event", (Event,), _body([*names, "id"], [*self.fields, (str, False)]), tag=tag)
        row: Any = RowMeta(f"{tag}Row", (NormalizedEvent,), _body(names, self.fields))
        return _row_form(event, row, names), _column_form(event, row, names)


def annotations(depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Types of fields: leaves, lists and maps with and without null items, rows, nested at most so deep."""
    leaves = st.sampled_from(LEAVES)
    if depth == 0:
        return leaves
    inner = st.deferred(lambda: annotations(depth - 1))
    held = st.builds(_list, inner, st.booleans()) | st.builds(_map, inner, st.booleans())
    return leaves | held | st.builds(_nested, fields(inner))


def patterns(leaf: Any) -> list[tuple[Any, bool]]:
    """The ways a type can stand in a row: required, optional, in lists, maps, rows, and all, four levels deep."""
    row, optional = _nested([(leaf, False)]), _nested([(leaf, True)])
    both = _nested([(leaf, False), (row, True), (_list(row, nullable=True), True)])
    return [
        (leaf, False),
        (leaf, True),
        (_list(leaf, nullable=False), False),
        (_list(leaf, nullable=True), True),
        (_map(leaf, nullable=False), False),
        (_map(_list(_map(row, nullable=True), nullable=False), nullable=True), True),
        (row, False),
        (row, True),
        (optional, True),
        (_list(row, nullable=False), True),
        (_list(row, nullable=True), False),
        (_nested([(row, True), (leaf, False)]), True),
        (_nested([(_nested([(both, True)]), False)]), True),
        (_list(_nested([(_list(both, nullable=True), False)]), nullable=True), True),
    ]


def fields(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Sequence[tuple[Any, bool]]]:
    return st.lists(st.tuples(inner, st.booleans()), min_size=1, max_size=3)


def _list(item: Any, nullable: bool) -> Any:
    return tuple.__class_getitem__((item | None if nullable else item, ...))


def _map(item: Any, nullable: bool) -> Any:
    return dict.__class_getitem__((str, item | None if nullable else item))


def _nested(inside: Sequence[tuple[Any, bool]]) -> Any:
    return RowMeta("Nested", (Row,), _body([f"inner_{number}" for number in range(len(inside))], inside))


def _body(names: Sequence[str], inside: Sequence[tuple[Any, bool]]) -> dict[str, Any]:
    pairs = list(zip(names, inside, strict=True))
    annotated = {name: kind | None if optional else kind for name, (kind, optional) in pairs}
    defaults = {name: None for name, (_, optional) in pairs if optional}
    return {"__annotations__": annotated, "__module__": __name__, **defaults}


def _row_form(event: Any, row: Any, names: Sequence[str]) -> type[Executor[Any, Any]]:
    class Rows(Executor[event, row]):  # type: ignore[valid-type]
        def process(self, event: Any) -> Any:
            return row(event_id=event.id, event_time=MOMENT, **{name: getattr(event, name) for name in names})

    return Rows


def _column_form(event: Any, row: Any, names: Sequence[str]) -> type[Executor[Any, Any]]:
    class Columns(Executor[event, row]):  # type: ignore[valid-type]
        def process_batch(self, events: pa.RecordBatch) -> Any:
            count = events.num_rows
            moments = pa.array([MOMENT] * count, pa.timestamp("us", "UTC"))
            own = {name: events.column(name) for name in names}
            made = pa.RecordBatch.from_pydict({"event_id": events.column("id"), "event_time": moments, **own})
            return made, np.arange(count, dtype=np.int32)

    return Columns


SHAPES: Final = fields(annotations()).map(lambda each: Shape(tuple(each)))
