"""Complaints of the kit about lookups that break their contract, and none about ours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.pipelines import pipeline_of
from trivium import Enrichment, Event, Executor, NormalizedEvent, Row
from trivium.connectors import open_lookup
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline
from trivium.testing import ManualClock, assert_lookup_compliance

SEATS = {"N1": 10, "N2": 20, "N3": 30}
ROWS = pa.RecordBatch.from_pydict({"tail": list(SEATS), "seats": list(SEATS.values())})


class Table:
    """Answers well; the others change one thing."""

    calls = 0

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        self.calls += 1
        places = [list(SEATS).index(key) if key in SEATS else None for key in keys.to_pylist()]
        return self.answer(places)

    def answer(self, places: list[Any]) -> Answer:
        return Answer(ROWS, pa.array(places, pa.int32()))


class Sorted(Table):
    def answer(self, places: list[Any]) -> Answer:
        return super().answer(sorted(places, key=str))


class Default(Table):
    def answer(self, places: list[Any]) -> Answer:
        return super().answer([0 if place is None else place for place in places])


class Drifting(Table):
    def answer(self, places: list[Any]) -> Answer:
        rows = ROWS if self.calls == 1 else ROWS.slice(0, 3).set_column(1, "seats", pa.array([1, 2, 3]))
        return Answer(rows, pa.array(places, pa.int32()))


class Short(Table):
    def answer(self, places: list[Any]) -> Answer:
        return super().answer([place for place in places if place is not None])


class Wide(Table):
    def answer(self, places: list[Any]) -> Answer:
        return Answer(ROWS, pa.array(places, pa.int64()))


class Outside(Table):
    def answer(self, places: list[Any]) -> Answer:
        return super().answer([None if place is None else place + 1 for place in places])


def test_a_good_lookup_complies() -> None:
    assert_lookup_compliance(Table(), list(SEATS), unknown=["N9"])


@pytest.mark.parametrize(
    ("kind", "check", "said"),
    [
        (Sorted, "any order", "its index does not follow the keys one by one"),
        (Default, "unknown keys", "it answers with a default"),
        (Drifting, "asked twice", "it keeps state, or its rows change between two calls"),
        (Short, "its answer", "expected: 1 places"),
        (Wide, "its answer", "expected: int32"),
        (Outside, "its answer", "expected: places 0 to 2"),
    ],
)
def test_a_bad_lookup_is_named_with_both_answers(kind: type[Table], check: str, said: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_lookup_compliance(kind(), list(SEATS), unknown=["N9"])
    text = str(caught.value)
    assert text.startswith(f"{kind.__name__} is not compliant: {check}\n  input: ")
    assert said in text


def test_a_key_it_should_know_is_named() -> None:
    with pytest.raises(AssertionError, match=r"keys it knows\n  input: 'N9'"):
        assert_lookup_compliance(Table(), ["N1", "N9"])


class Plane(Row):
    seats: int


class Trip(Event, tag="trip"):
    tail: str


class TripExecutor(Executor[Trip, NormalizedEvent]):
    plane = Enrichment(Plane, key="tail")

    def process(self, event: Trip, plane: Plane) -> None:
        return None


def test_the_lookup_over_parquet_complies(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_batches([ROWS.rename_columns(["key", "seats"])]), tmp_path / "planes.parquet")
    bound = pipeline_of([TripExecutor]).lookups["plane"]
    config = bound.config.model_copy(update={"path": str(tmp_path / "planes.parquet")})
    clock = ManualClock()
    lookup = open_lookup(replace(bound, config=config), clock)
    assert_lookup_compliance(lookup, list(SEATS), unknown=["N9", ""], clock=clock)
