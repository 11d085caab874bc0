"""A lookup over two planes, and executors that declare it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tests.support.flow_events import Item, Line, every, line, lines
from trivium import Enrichment, Executor, RetryPolicy, Row
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline

POLICY = RetryPolicy(attempts=3, first_delay_seconds=1.0, factor=2.0, deadline_seconds=60.0)


class Plane(Row):
    seats: int
    maker: str | None = None


@dataclass
class Planes:
    """A lookup over two planes, in an order and with a row beside them that nobody asked for."""

    failures: int = 0
    error: Exception = field(default_factory=lambda: LookupUnavailable("down"))
    asked: list[list[Any]] = field(default_factory=list)
    rows = pa.RecordBatch.from_pydict(
        {"seats": [1, 200, 100], "maker": ["Nobody", None, "Airbus"], "x": [0, 0, 0]},
        schema=pa.schema([pa.field("seats", pa.int64(), nullable=False), ("maker", pa.string()), ("x", pa.int8())]),
    )

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        self.asked.append(keys.to_pylist())
        assert deadline.remaining() <= POLICY.deadline_seconds
        if len(self.asked) <= self.failures:
            raise self.error
        return Answer(self.rows, pc.index_in(keys, pa.array(["Nobody", "b", "a"])))


def executors(missing: Any = "null") -> dict[str, type[Executor[Any, Any]]]:
    class Rows(Executor[Item, Line]):
        plane = Enrichment(Plane, key="key", missing=missing)

        def process(self, event: Item, plane: Plane | None) -> Line:
            return line(event, n=-1 if plane is None else plane.seats)

    class Columns(Executor[Item, Line]):
        plane = Enrichment(Plane, key="key", missing=missing)

        def process_batch(self, events: pa.RecordBatch, plane: pa.RecordBatch) -> Any:
            assert plane.num_rows == events.num_rows
            seats = pc.fill_null(plane.column("seats"), -1)
            made = lines(events)
            return made.set_column(made.schema.get_field_index("n"), "n", seats), every(events.num_rows)

    return {"row": Rows, "column": Columns}
