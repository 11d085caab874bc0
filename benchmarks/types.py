"""`./dev bench types`: the cost of an event with 1 to 300 event types in one pipeline, beside a loop written by hand.

Every type has ten columns of its own beside `event_id` and `event_time`; events of all types are mixed evenly. Both
sides run in this process over the same records in memory, in turn: the engine alone, the engine with its files, and the
loop by hand, which decodes by a tagged union, groups in one pass, and pads and sorts once a row group. The engine's
cases include what the loop leaves out: checks of every value, lineage, rejects, statistics, syncs.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import median
from types import new_class
from typing import Any, Final, Union

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import REPOSITORY
from benchmarks.report import Goal, machine, show
from trivium import Event, Executor, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker

LIMITS: Final = {(50, 500): 3.0, (50, 2_000): 2.0, (50, 20_000): 1.3, (300, 20_000): 2.0}
"""The most that an event may cost with so many types in batches of so many events, by what it costs with one type."""
_TYPES: Final = (1, 5, 20, 50, 300)
_SIZES: Final = (500, 2_000, 20_000)
_FIELDS: Final = range(10)
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
Batches = Sequence[Sequence[bytes]]


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU an event: the engine alone, with its files, and the loop by hand with its own."""

    types: int
    batch: int
    engine: float
    files: float
    by_hand: float


def main() -> None:
    """Measure every number of types and size of batch, and report the ratios to one type."""
    parser = argparse.ArgumentParser(prog="./dev bench types", description="What an event type costs the others.")
    parser.add_argument("--events", type=int, default=100_000, help="events of a run (default 100,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument("--types", type=int, nargs="+", default=list(_TYPES), help="numbers of event types")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_SIZES), help="events of a batch")
    options = parser.parse_args()
    found = [
        measure(number, size, options.events, options.rounds)
        for size in options.sizes
        for number in sorted({1, *options.types})
    ]
    where = machine()
    show([], _goals(found), where)
    for each in found:
        print(
            f"{each.types:>4} types, batches of {each.batch:>6,}: engine {each.engine:5.2f} us, with files "
            f"{each.files:5.2f} us, by hand {each.by_hand:5.2f} us an event"
        )
    output = REPOSITORY / "benchmarks" / "results" / "types.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": where, "costs": [asdict(each) for each in found]}, indent=2) + "\n")
    print(f"written to {output}")


def _goals(found: Sequence[Cost]) -> list[Goal]:
    one = {each.batch: each for each in found if each.types == 1}
    return [
        Goal(f"{each.types} types, batches of {each.batch:,}, {what}: by one type", cost / base, limit)
        for each in found
        if (limit := LIMITS.get((each.types, each.batch)))
        for what, cost, base in (
            ("engine", each.engine, one[each.batch].engine),
            ("with files", each.files, one[each.batch].files),
        )
    ]


def measure(types: int, size: int, events: int, rounds: int) -> Cost:
    """Return the medians of the three sides, taking turns over the same batches."""
    executors = [executor(number) for number in range(types)]
    batches = records(types, size, events)
    worker, hand = BlockingWorker(spec_of(executors), {}), ByHand(executors)
    sides: list[tuple[list[float], Callable[[], int]]] = [
        ([], lambda: run_engine(worker, batches)),
        ([], lambda: run_with_files(worker, batches)),
        ([], lambda: hand.run(batches)),
    ]
    for _ in range(rounds):
        for seconds, work in sides:
            seconds.append(_cpu_seconds(work, events))
    engine, files, by_hand = (median(seconds) / events * 1e6 for seconds, _ in sides)
    return Cost(types, size, engine, files, by_hand)


def executor(number: int) -> type[Executor[Any, Any]]:
    """Return an executor of one more type: ten whole numbers in, ten out."""
    event = _struct(f"Event{number}", Event, [("id", str), *((f"f{at}", int) for at in _FIELDS)], tag=f"t{number}")
    row = _struct(f"Row{number}", NormalizedEvent, [(f"c{number}_{at}", int) for at in _FIELDS])
    values = ", ".join(f"c{number}_{at}=event.f{at}" for at in _FIELDS)
    source = f"def process(self, event):\n    return Row(event_id=event.id, event_time=MOMENT, {values})\n"
    scope: dict[str, Any] = {"Row": row, "MOMENT": _MOMENT}
    exec(source, scope)
    process = scope["process"]
    process.__annotations__ = {"event": event, "return": row}
    base: Any = Executor[event, row]
    return new_class(f"Executor{number}", (base,), {}, lambda body: body.update(process=process, __module__=__name__))


def _struct(name: str, base: type, fields: Sequence[tuple[str, type]], **config: Any) -> Any:
    return type(base)(name, (base,), {"__annotations__": dict(fields), "__module__": __name__}, **config)


def records(types: int, size: int, events: int) -> list[list[bytes]]:
    """Return batches of JSON records, of all types in turn."""
    made = [
        json.dumps({"event_type": f"t{at % types}", "id": str(at), **{f"f{each}": at for each in _FIELDS}}).encode()
        for at in range(events)
    ]
    return [made[at : at + size] for at in range(0, events, size)]


def run_engine(worker: BlockingWorker, batches: Batches) -> int:
    """Take the batches through the engine; return the number of rows."""
    rows = 0
    for batch in batches:
        outcomes = worker.run(RawBatch(batch, "memory", np.arange(len(batch))))
        rows += sum(map(len, outcomes.emitted.values()))
    return rows


def run_with_files(worker: BlockingWorker, batches: Batches) -> int:
    """Take the batches through the engine and write its rows to files, as an epoch of a stream does."""
    folder = tempfile.mkdtemp()
    try:
        schema = table_schema(worker.worker.spec.table_columns)
        partitioned = PartitionedFiles(Storage(folder), schema, ("event_date",), "b", {"_runtime": "streaming"})
        files = EventFiles(partitioned)
        for batch in batches:
            outcomes = worker.run(RawBatch(batch, "memory", np.arange(len(batch))))
            files.add(outcomes.emitted.values())
        return sum(file.rows for file in files.close())
    finally:
        shutil.rmtree(folder)


class ByHand:
    """The same work as one would write it for speed: one decoder, one pass, columns padded once a row group."""

    def __init__(self, executors: Sequence[type[Executor[Any, Any]]]) -> None:
        made = [each(each.Options()) for each in executors]
        self._process = {
            msgspec.defstruct(
                f"In{at}",
                [("id", str), *((f"f{each}", int) for each in _FIELDS)],
                tag=f"t{at}",
                tag_field="event_type",
                gc=False,
            ): each.process
            for at, each in enumerate(made)
        }
        self._decode = msgspec.json.Decoder(Union.__getitem__(tuple(self._process))).decode
        own = [[f"c{number}_{at}" for at in _FIELDS] for number in range(len(made))]
        self._fields = {
            struct: ["event_id", "event_time", *names] for struct, names in zip(self._process, own, strict=True)
        }
        self._schema = pa.schema(
            [
                ("event_id", pa.string()),
                ("event_time", pa.timestamp("us", "UTC")),
                *((name, pa.int64()) for names in own for name in names),
            ]
        )

    def run(self, batches: Batches) -> int:
        """Take the batches to one Parquet file; return the number of rows."""
        grouped: dict[Any, list[Any]] = {struct: [] for struct in self._process}
        for batch in batches:
            for event in map(self._decode, batch):
                struct = type(event)
                grouped[struct].append(self._process[struct](event))
        with tempfile.TemporaryFile() as file, pq.ParquetWriter(file, self._schema, compression="zstd") as writer:
            parts = [self._columns(struct, rows) for struct, rows in grouped.items() if rows]
            whole = pa.concat_tables(parts, promote_options="default").select(self._schema.names)
            writer.write_table(whole)
        return whole.num_rows

    def _columns(self, struct: Any, rows: Sequence[Any]) -> pa.Table:
        names = self._fields[struct]
        columns = [[getattr(row, name) for row in rows] for name in names]
        return pa.table(columns, schema=pa.schema([self._schema.field(name) for name in names]))


def _cpu_seconds(work: Callable[[], int], events: int) -> float:
    gc.collect()
    start = time.process_time()
    rows = work()
    spent = time.process_time() - start
    if rows != events:
        raise ValueError(f"expected {events} rows, got {rows}: nothing was measured")
    return spent


if __name__ == "__main__":
    main()
