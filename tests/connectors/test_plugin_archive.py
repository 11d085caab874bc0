"""A source of one's own under the reader of runs: typed columns, and every way in which it may break its contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from tests.support.kafka_batches import DECLARATIONS, ids, places
from trivium import SourcePart, SourceRequest, SourceSettings
from trivium.connectors import open_source
from trivium.connectors.archive.reader import SourceReader
from trivium.core.errors import SourceError

SCHEMA = pa.schema(
    [
        ("event_type", pa.dictionary(pa.int8(), pa.string())),
        ("parcel_id", pa.string()),
        ("weight", pa.int32()),
        ("spare", pa.binary()),
    ]
)


@dataclass
class Shelf:
    """The archive: what its parts are said to be, and what reading them gives."""

    schema: pa.Schema = SCHEMA
    parts: list[SourcePart] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    extra: int = 0
    batches: Any = None


SHELF = Shelf()


class ShelfSource:
    """Gives parcels by their places on the shelf."""

    class Settings(SourceSettings):
        """No keys of its own."""

    def __init__(self, settings: Settings, request: SourceRequest) -> None:
        self.request, self.schema = request, SHELF.schema

    def parts(self) -> Iterator[SourcePart]:
        yield from SHELF.parts

    def version(self, name: str) -> str | None:
        return SHELF.versions.get(name)

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        if SHELF.batches is not None:
            yield from SHELF.batches
            return
        numbers = range(rows.start, rows.stop + SHELF.extra)
        yield pa.RecordBatch.from_pylist(
            [{"event_type": "parcel", "parcel_id": f"{name}-{n}", "weight": n, "spare": b"x"} for n in numbers],
            SHELF.schema,
        )


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    module = ModuleType("shelf_source")
    module.ShelfSource = ShelfSource  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shelf_source", module)
    SHELF.__init__()  # type: ignore[misc]
    SHELF.parts = [part("b", 3, day=date(2026, 3, 2)), part("a", 5000, modified=datetime(2026, 3, 2, tzinfo=UTC))]
    SHELF.versions = {"a": "1", "b": "1"}
    return SHELF


def part(name: str, rows: int, **more: Any) -> SourcePart:
    return SourcePart(name=name, rows=rows, version="1", **{"day": date(2026, 3, 1), **more})


def reader(**settings: Any) -> SourceReader:
    section = ShelfSource.Settings(type="shelf_source:ShelfSource", **{"day_column": "day", **settings})
    return open_source(section, DECLARATIONS, "event_type")


def test_typed_columns_are_read_with_their_places_and_days() -> None:
    source = reader()
    plan = source.plan()
    assert plan.days() == {"2026-03-01": 1_772_409_600_000_000, "2026-03-02": 0}
    first, second = plan.units(1, None)
    (part,) = source.batches(first)
    assert part.batch.columns.schema.names == ["event_type", "parcel_id", "weight"]  # type: ignore[union-attr]
    assert part.batch.columns.schema.types == [pa.string(), pa.string(), pa.int32()]  # type: ignore[union-attr]
    assert ids(part) == [f"a-{n}" for n in range(5000)]
    (part,) = source.batches(second)
    assert places(part) == [("b", n, "2026-03-02") for n in range(3)]
    assert [unit.rows for unit in plan.units(1, frozenset({"2026-03-02"}))] == [3]
    half = first.halves()[1]
    assert ids(next(source.batches(half)))[:2] == ["a-2500", "a-2501"]


def test_what_is_read_is_said_to_the_source() -> None:
    archive: Any = reader().archive
    assert archive._source.request.columns == ("event_type", "note", "parcel_id", "weight")  # noqa: SLF001


def test_columns_are_held_to_the_events(shelf: Shelf) -> None:
    shelf.schema = pa.schema([("event_type", pa.string()), ("parcel_id", pa.string()), ("weight", pa.float64())])
    with pytest.raises(SourceError, match=r"shelf_source:ShelfSource/a cannot be read as .*\n.*weight"):
        reader().plan()
    shelf.schema = SCHEMA
    notes = reader().plan().notes
    assert notes == ("no file has the column note (parcel.note): it is null in every event",)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "expected parts with rows, found none"),
        ([part("a", 1), part("a", 2)], "expected parts of different names, got some name twice"),
        ([part("a", -1)], "expected parts with a name, a version and a number of rows, got SourcePart"),
        ([part("", 1)], "expected parts with a name, a version and a number of rows, got SourcePart"),
        ([part("a", 1, day=None)], "expected a day of the part a, since batch.source.day_column is set, got none"),
        (["a"], "listing its parts: AttributeError: 'str' object has no attribute 'name'"),
        (
            [part("a", 1, day="2026-03-01")],
            "the day of the part a: AttributeError: 'str' object has no",
        ),
    ],
)
def test_parts_that_cannot_be_are_named(shelf: Shelf, parts: list[Any], said: str) -> None:
    shelf.parts = parts
    with pytest.raises(SourceError) as caught:
        reader().plan()
    assert "the source shelf_source:ShelfSource" in str(caught.value)
    assert said in str(caught.value)


def read(shelf: Shelf) -> str:
    source = reader()
    unit = source.plan().units(1, None)[1]
    with pytest.raises(SourceError) as caught:
        list(source.batches(unit))
    return str(caught.value)


def test_rows_that_are_not_those_that_were_said_are_named(shelf: Shelf) -> None:
    place = "the source shelf_source:ShelfSource, rows 0 to 3 of the part b"
    shelf.extra = 1
    assert read(shelf) == f"{place}: expected 3 rows, got 4"
    shelf.extra = -1
    assert read(shelf) == f"{place}: expected 3 rows, got 2"
    shelf.batches = ["rows"]
    assert f"{place}: expected record batches of event_type dictionary" in read(shelf)
    shelf.batches = [pa.record_batch({"weight": [1]})]
    assert read(shelf).endswith("spare binary, got weight int64")
    shelf.batches = (1 / each for each in [0])
    assert read(shelf) == f"{place}: ZeroDivisionError: division by zero"


def test_a_part_that_is_gone_or_changed_is_named(shelf: Shelf) -> None:
    shelf.versions["b"] = "2"
    assert "the part b changed while the run was on: expected version 1, got 2. Try: run again" in read(shelf)
    del shelf.versions["b"]
    assert "expected version 1, got None" in read(shelf)


def test_a_change_while_rows_are_read_is_noticed(shelf: Shelf) -> None:
    source = reader()
    unit = source.plan().units(1, None)[0]
    batches = source.batches(unit)
    change = iter([{"a": "1"}, {"a": "2"}])
    shelf.versions = _Changing(change)
    with pytest.raises(SourceError, match="the part a changed while the run was on"):
        list(batches)


class _Changing(dict[str, str]):
    """Versions that are others each time that one is asked for."""

    def __init__(self, states: Iterator[dict[str, str]]) -> None:
        super().__init__()
        self._states = states

    def get(self, name: str, default: Any = None) -> Any:
        return next(self._states).get(name, default)
