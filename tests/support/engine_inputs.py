"""One declared field as raw JSON and as a typed column, through both forms of one executor, and the outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from trivium.config.worker_spec import RoutingSpec, spec_of
from trivium.contract.executor import Executor
from trivium.contract.rows import Event, NormalizedEvent, RowMeta
from trivium.engine.batch import Batch, RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
NO_DEFAULT: Any = msgspec.NODEFAULT


@dataclass(frozen=True)
class Kept:
    """An emitted value, as it stands in the output column."""

    value: Any


@dataclass(frozen=True)
class Rejected:
    """A rejected input."""

    reason: str = "invalid"


@dataclass(frozen=True)
class Dropped:
    """A dropped input, under the name it is counted by."""

    name: str


Outcome = Kept | Rejected | Dropped


class Probe:
    """An event type `given` with one field `value` of the annotated type, copied to the output by both forms."""

    def __init__(self, annotation: Any, default: Any = NO_DEFAULT, *, wire: str = "value") -> None:
        field = msgspec.field(name=wire) if default is NO_DEFAULT else msgspec.field(name=wire, default=default)
        self.event: Any = RowMeta("Given", (Event,), _body({"value": annotation}, value=field), tag="given")
        copied = {"value": annotation, "text": str | None}
        self.row: Any = RowMeta("Copied", (NormalizedEvent,), _body(copied, text=None))
        self.wire = wire
        self.rows, self.columns = _row_form(self.event, self.row), _column_form(self.event, self.row)

    def workers(self, routing: RoutingSpec | None = None) -> dict[str, BlockingWorker]:
        """The two forms."""
        return {
            form.__name__: BlockingWorker(spec_of([form], routing=routing), {}) for form in (self.rows, self.columns)
        }

    def run(self, batch: Batch) -> list[Outcome]:
        """The outcomes of a batch, which must be the same in both forms."""
        by_form = {name: outcomes(worker.run(batch)) for name, worker in self.workers().items()}
        row, column = by_form.values()
        assert row == column
        return row


def _body(annotations: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    return {"__annotations__": annotations, "__module__": __name__, **defaults}


def _row_form(event: Any, row: Any) -> type[Executor[Any, Any]]:
    class Rows(Executor[event, row]):  # type: ignore[valid-type]
        def process(self, event: Any) -> Any:
            return row(event_id="x", event_time=MOMENT, value=event.value, text=repr(event.value))

    return Rows


def _column_form(event: Any, row: Any) -> type[Executor[Any, Any]]:
    class Columns(Executor[event, row]):  # type: ignore[valid-type]
        def process_batch(self, events: pa.RecordBatch) -> Any:
            count = events.num_rows
            columns = {
                "event_id": pa.array(["x"] * count),
                "event_time": pa.array([MOMENT] * count, pa.timestamp("us", "UTC")),
                "value": events.column("value"),
            }
            return pa.RecordBatch.from_pydict(columns), np.arange(count, dtype=np.int32)

    return Columns


def raw(*values: bytes | None) -> RawBatch:
    """Records as they are."""
    return RawBatch(values, "topic/0", np.arange(len(values), dtype=np.int64))


def json_of(*texts: str | bytes, wire: str = "value") -> RawBatch:
    """Records of type `given` whose field holds this JSON text."""
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    return raw(*(b'{"event_type":"given","' + wire.encode() + b'":' + text + b"}" for text in encoded))


def typed(column: pa.Array, timezone: str | None = None, wire: str = "value") -> TypedBatch:
    """Rows of type `given` whose field is this column."""
    count = len(column)
    columns = pa.RecordBatch.from_arrays([pa.array(["given"] * count, pa.string()), column], names=["event_type", wire])
    return TypedBatch(columns, "folder/file.parquet", np.arange(count, dtype=np.int64), timezone)


def outcomes(out: Outcomes) -> list[Outcome]:
    """The outcome of each input in order. Fails when one has none, or two."""
    found: dict[int, Outcome] = {}
    for emitted in out.emitted.values():
        values = plain(emitted.rows.column("value"))
        _place(found, zip(emitted.parents.tolist(), map(Kept, values), strict=True))
    for name, rows in out.dropped.items():
        _place(found, ((row, Dropped(name)) for row in rows.tolist()))
    _place(found, ((reject.index, Rejected(reject.reason)) for reject in out.rejects))
    assert sorted(found) == list(range(out.read))
    assert all(counts.balanced() for counts in out.counts().values())
    assert sum(counts.read for counts in out.counts().values()) == out.read
    return [found[row] for row in range(out.read)]


def _place(found: dict[int, Outcome], pairs: Any) -> None:
    for row, outcome in pairs:
        assert row not in found, f"input {row} has two outcomes: {found[row]} and {outcome}"
        found[row] = outcome


def plain(column: pa.Array) -> list[Any]:
    """Python values; a NaN would not equal itself, and none may be there."""
    values: list[Any] = column.to_pylist()
    assert not any(value != value for value in values)  # noqa: PLR0124 - only NaN differs from itself
    return values


def texts(worker: BlockingWorker, batch: Batch) -> Sequence[str]:
    """What row-form executors saw: the repr of each value."""
    rows = worker.run(batch).emitted["given"].rows
    return rows.column("text").to_pylist()  # type: ignore[no-any-return]
