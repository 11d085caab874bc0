"""A project whose one event type has a field of every kind, and facts of the kinds that are stored as others."""

from __future__ import annotations

import json
import textwrap
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

EXECUTOR: Final = '''
    """Every kind of field, copied."""

    import enum
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from typing import Annotated, Literal
    from uuid import UUID

    from trivium import Enrichment, Event, Executor, Float32, Int8, NormalizedEvent, Precision, RawJson, Row, field


    class Colour(enum.Enum):
        """A colour."""

        RED = "red"
        BLUE = "blue"


    class Place(Row):
        """A row inside."""

        name: str
        opens: time | None = None
        waits: dict[str, timedelta | None] | None = None


    class Fact(Row):
        """What is known at a time of day."""

        start: time
        opens: time
        lasts: timedelta
        rates: dict[str, float]
        notes: RawJson | None = None


    class Thing(Event, tag="thing"):
        """An event with a field of every kind."""

        id: str
        at: datetime
        truth: bool
        count: int
        small: Int8 | None = None
        ratio: float | None = None
        short: Float32 | None = None
        text: str | None = None
        payload: RawJson
        extra: RawJson | None = None
        blob: bytes | None = None
        day: date | None = None
        clock: time
        took: timedelta
        key: UUID
        colour: Colour | None = None
        grade: Literal[1, 2] | None = None
        price: Annotated[Decimal, Precision(9, 2)] | None = None
        laps: tuple[timedelta | None, ...] = ()
        counts: dict[str, int]
        nested: dict[str, tuple[Place | None, ...]] | None = None
        place: Place | None = field(name="the-place", default=None)
        documents: dict[str, RawJson | None] | None = None


    class ThingRow(NormalizedEvent):
        """The same as columns."""

        truth: bool
        count: int
        small: Int8 | None = None
        ratio: float | None = None
        short: Float32 | None = None
        text: str | None = None
        payload: RawJson
        extra: RawJson | None = None
        blob: bytes | None = None
        day: date | None = None
        clock: time
        took: timedelta
        key: UUID
        colour: Colour | None = None
        grade: Literal[1, 2] | None = None
        price: Annotated[Decimal, Precision(9, 2)] | None = None
        laps: tuple[timedelta | None, ...] = ()
        counts: dict[str, int]
        nested: dict[str, tuple[Place | None, ...]] | None = None
        place: Place | None = None
        documents: dict[str, RawJson | None] | None = None
        fact: Fact | None = None


    NAMES = [name for name in ThingRow.__struct_fields__ if name not in ("event_id", "event_time", "fact")]


    class ThingExecutor(Executor[Thing, ThingRow]):
        """Every field of the event as a column."""

        fact = Enrichment(Fact, key="clock", missing="null")

        def process(self, event: Thing, fact: Fact | None) -> ThingRow:
            """Copy the fields."""
            same = {name: getattr(event, name) for name in NAMES}
            return ThingRow(event_id=event.id, event_time=event.at, fact=fact, **same)
'''
CONFIG: Final = """
    pipeline: kinds
    executors: [{type: thing}]
    routing: {field: event_type}
    lookups:
      fact: {type: parquet, path: ../facts.parquet, key: start}
    table: {type: delta, path: ../tables/kinds, partition_by: [event_date]}
    dead_letters: {type: delta, path: ../tables/kinds_dead_letters}
    serving: {route: /kinds}
"""
EVENT: Final[dict[str, Any]] = {
    "event_type": "thing", "id": "e1", "at": "2024-05-01T12:00:00+02:00", "truth": True, "count": 7, "small": -1,
    "ratio": 0.5, "short": 0.1, "text": "é", "payload": [[1.5]], "blob": "AAE=",
    "day": "2024-05-01", "clock": "09:30:00.250", "took": "PT1M1.5S", "key": "F81D4FAE7DEC11D0A76500A0C91E6BF6",
    "colour": "blue", "grade": 2, "price": "1.50", "laps": ["PT1S", None], "counts": {"z": 1, "a": 2},
    "nested": {"n": [{"name": "gate", "opens": "06:00:00", "waits": {"b": "P1D", "a": None}}, None]},
    "the-place": {"name": "hall"}, "documents": {"d": [1], "none": None},
}  # fmt: skip
ROW: Final[dict[str, Any]] = {
    "event_id": "e1", "event_time": "2024-05-01T10:00:00Z", "truth": True, "count": 7, "small": -1,
    "ratio": 0.5, "short": 0.1, "text": "é", "payload": "[[1.5]]", "extra": None, "blob": "AAE=",
    "day": "2024-05-01", "clock": "09:30:00.250000", "took": 61_500_000, "key": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "colour": "blue", "grade": 2, "price": "1.50", "laps": [1_000_000, None], "counts": {"a": 2, "z": 1},
    "nested": {"n": [{"name": "gate", "opens": "06:00:00", "waits": {"a": None, "b": 86_400_000_000}}, None]},
    "place": {"name": "hall", "opens": None, "waits": None}, "documents": {"d": "[1]", "none": None},
    "fact": {
        "start": "09:30:00.250000", "opens": "08:00:00", "lasts": 3_600_000_000,
        "rates": {"a": 1.0, "b": 0.5}, "notes": "[1]",
    },
}  # fmt: skip
"""What the event becomes, as plain data of the table."""

FACT: Final[dict[str, Any]] = {
    "start": "09:30:00.25", "opens": "08:00:00", "lasts": "PT1H", "rates": {"a": 1.0, "b": 0.5}, "notes": [1],
}  # fmt: skip


def project(root: Path) -> Path:
    """Write the project; return its pipeline file."""
    root.mkdir(parents=True, exist_ok=True)
    facts = {
        "start": pa.array([time(9, 30, 0, 250_000)], pa.time64("us")),
        "opens": pa.array([time(8)], pa.time32("ms")),
        "lasts": pa.array([timedelta(hours=1)], pa.duration("ms")),
        "rates": pa.array([[("b", 0.5), ("a", 1.0)]], pa.map_(pa.string(), pa.float32())),
        "notes": ["[1]"],
    }
    pq.write_table(pa.table(facts), root / "facts.parquet")
    sample = json.dumps({"event": EVENT, "enrichments": {"fact": FACT}, "rows": [ROW]}, separators=(",", ":"))
    files = {
        "executors/__init__.py": "",
        "executors/thing/__init__.py": "",
        "executors/thing/executor.py": EXECUTOR,
        "executors/thing/samples.jsonl": sample + "\n",
        "configs/kinds.yaml": CONFIG,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text).lstrip())
    return root / "configs/kinds.yaml"
