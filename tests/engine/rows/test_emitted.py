"""Rows of few events stay structs and rows of many become columns at once: the same rows, whichever way."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium import Event, Executor, NormalizedEvent
from trivium.config.worker_spec import spec_of
from trivium.engine import type_worker
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes
from trivium.engine.rows.emitted import Emitted, joined

MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Given(Event, tag="given"):
    number: int
    text: str = ""
    hours: int = 0
    copies: int = 1


class Made(NormalizedEvent):
    number: int
    half: float | None = None
    text: str | None = None
    parts: tuple[int, ...] = ()


class Makes(Executor[Given, Made]):
    def process(self, event: Given) -> list[Made]:
        moment = MOMENT + timedelta(hours=event.hours)
        number: Any = {13: "thirteen", 14: 1 << 70, 15: True}.get(event.number, event.number)
        half = {16: float("nan"), 17: None}.get(event.number, event.number / 2)
        text = {18: "\ud800", 19: None}.get(event.number, event.text)
        return [
            Made(event_id=f"{at}", event_time=moment, number=number, half=half, text=text, parts=(at, event.number))
            for at in range(event.copies)
        ]


class Other(Event, tag="other"):
    name: str


class Named(NormalizedEvent):
    name: str


class Names(Executor[Other, Named]):
    def process(self, event: Other) -> Named:
        return Named(event_id=event.name, event_time=MOMENT, name=event.name)


def batch(events: list[dict[str, Any]], first: int = 0, source: Any = "s") -> RawBatch:
    values = [json.dumps({"event_type": "given", **event}).encode() for event in events]
    return RawBatch(values, source, np.arange(first, first + len(values)))


def rows_of(out: Outcomes, event_type: str = "given") -> list[dict[str, Any]]:
    emitted = out.emitted.get(event_type)
    return [] if emitted is None else emitted.rows.drop_columns(["_ingested_at"]).to_pylist()


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(-3, 20),
            "text": st.text(st.characters(codec="utf-8"), max_size=4),
            "hours": st.integers(-30, 30),
            "copies": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(events=EVENTS)
@settings(max_examples=80, deadline=None)
def test_structs_and_columns_hold_the_same_rows(events: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        few = BlockingWorker(spec_of([Makes]), {}).run(batch(events))
        patch.setattr(type_worker, "_FEW", 0)
        many = BlockingWorker(spec_of([Makes]), {}).run(batch(events))
    assert rows_of(few) == rows_of(many)
    assert few.counts() == many.counts()
    assert few.rejects == many.rejects
    for name, emitted in many.emitted.items():
        assert few.emitted[name].parents.tolist() == emitted.parents.tolist()
        assert few.emitted[name].days() == emitted.days()
        assert few.emitted[name].event_dates == emitted.event_dates


def test_plain_rows_stay_structs_and_doubtful_ones_become_columns() -> None:
    plain = BlockingWorker(spec_of([Makes]), {}).run(batch([{"number": 1}, {"number": 2}])).emitted["given"]
    odd = BlockingWorker(spec_of([Makes]), {}).run(batch([{"number": 1}, {"number": 15}])).emitted["given"]
    assert isinstance(plain.made, list)
    assert isinstance(odd.made, pa.RecordBatch)
    assert odd.rows.column("number").to_pylist() == [1]


def several() -> list[Emitted]:
    worker = BlockingWorker(spec_of([Makes]), {})
    by_record = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int32()), pa.array(["t/0", "t/1"]))
    batches = [
        batch([{"number": 1}, {"number": 2, "copies": 2}], 10, "a"),
        batch([{"number": 3}, {"number": 15}, {"number": 4, "hours": 20}], 20, "b"),
        batch([{"number": 5}, {"number": 6}], 30, by_record),
    ]
    return [worker.run(each).emitted["given"] for each in batches]


def test_rows_of_several_batches_joined_are_those_of_each() -> None:
    parts = several()
    whole = joined(parts).to_pylist()
    assert whole == [row for part in parts for row in part.rows.to_pylist()]
    places = [(row["_source"], row["_position"], row["_row"], row["number"]) for row in whole]
    assert places == [
        ("a", 10, 0, 1),
        ("a", 11, 0, 2),
        ("a", 11, 1, 2),
        ("b", 20, 0, 3),
        ("b", 22, 0, 4),
        ("t/1", 30, 0, 5),
        ("t/0", 31, 0, 6),
    ]


def test_chosen_rows_keep_their_places() -> None:
    taken = several()[0].take(np.array([0, 2]))
    assert [(row["_position"], row["_row"], row["number"]) for row in taken.rows.to_pylist()] == [
        (10, 0, 1),
        (11, 0, 2),
    ]
    assert several()[1].days() == {date(2026, 1, 1), date(2026, 1, 2)}


def test_a_batch_of_many_types_gives_each_its_own_columns_in_order() -> None:
    values = [
        json.dumps({"event_type": "given", "number": n} if n % 3 else {"event_type": "other", "name": f"n{n}"}).encode()
        for n in range(9)
    ]
    out = BlockingWorker(spec_of([Makes, Names]), {}).run(RawBatch(values, "s", np.arange(9)))
    assert [row["name"] for row in rows_of(out, "other")] == ["n0", "n3", "n6"]
    assert [row["number"] for row in rows_of(out)] == [1, 2, 4, 5, 7, 8]
    assert out.emitted["other"].parents.tolist() == [0, 3, 6]
