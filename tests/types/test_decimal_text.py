"""Decimals in JSON, as numbers and as text: one grammar, that of JSON's numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.engine_inputs import MOMENT, raw
from trivium import Event, Executor, NormalizedEvent, Precision, Row
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingRequests, BlockingWorker

Money = Annotated[Decimal, Precision(38, 10)]


class Inside(Row):
    price: Money | None = None


class Order(Event, tag="order"):
    price: Money | None = None
    fee: Money = Decimal(7)
    prices: tuple[Money, ...] = ()
    options: tuple[Money | None, ...] = ()
    inside: Inside | None = None


class OrderRow(NormalizedEvent):
    price: Money | None
    fee: Money
    prices: tuple[Money, ...]
    options: tuple[Money | None, ...]
    inside: Inside | None


class Orders(Executor[Order, OrderRow]):
    def process(self, event: Order) -> OrderRow:
        fields = {name: getattr(event, name) for name in Order.__struct_fields__}
        assert all(value is None or isinstance(value, Decimal) for value in (event.price, event.fee, *event.options))
        return OrderRow(event_id="1", event_time=MOMENT, **fields)


PIPELINE = spec_of([Orders])
WORKER, REQUESTS = BlockingWorker(PIPELINE, {}), BlockingRequests(PIPELINE, {})


def records(text: str) -> dict[str, bytes]:
    """A record for each place that a decimal may have."""
    bodies = {
        ".price": f'"price":{text}',
        ".fee": f'"fee":{text}',
        ".prices[...]": f'"prices":[1,{text}]',
        ".options[...]": f'"options":[null,{text}]',
        ".inside.price": f'"inside":{{"price":{text}}}',
    }
    return {path: f'{{"event_type":"order",{body}}}'.encode() for path, body in bodies.items()}


def of_place(row: dict[str, Any], path: str) -> Any:
    found = row[path.removesuffix("[...]").split(".")[1]]
    return found[1] if path.endswith("[...]") else found["price"] if "inside" in path else found


TAKEN = ["0", "-0", "5", "-5", "5.0", "5.50", "0.5", "1e3", "1E+3", "100e-2", "0.0000000000e5", "12345678901234567890"]
REFUSED = [
    *("", " 5", "5 ", "5_0", "+5", "05", "-05", "00", "5.", ".5", "-.5", "5e", "1e5.0", "1 0", "0x5", "5f", "5,0"),
    *("\u0665", "\uff15", "\u06f5.0", "5\u0660", "\u22125", "\u00bd", "5\n", "\t5", "\u00a05", "5\u200b", "--5", "-"),
    *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "None", "null", "true", "5e1_0", "1_000", "5\0"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_is_taken(text: str) -> None:
    for written in (text, json.dumps(text), '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'):
        for path, record in records(written).items():
            out = WORKER.run(raw(record))
            assert not out.rejects
            assert of_place(out.emitted["order"].rows.to_pylist()[0], path) == Decimal(text)
            assert REQUESTS.answer(record)[0].outcome == "emitted"


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    for path, record in records(json.dumps(text)).items():
        (reject,) = WORKER.run(raw(record)).rejects
        assert (reject.stage, reject.reason) == ("decode", "invalid")
        assert reject.error.startswith("expected a decimal as JSON writes numbers, got ")
        assert reject.error.endswith(f" - at `${path}`")
        answer = REQUESTS.answer(record)[0]
        assert (answer.error, answer.path) == (reject.error, f"${path}")


@pytest.mark.parametrize("value", ["true", "{}", "[]", "[1]", '{"a":1}'])
def test_what_is_no_decimal_at_all(value: str) -> None:
    for record in records(value).values():
        (reject,) = WORKER.run(raw(record)).rejects
        assert reject.reason == "invalid"


def test_a_null_is_for_the_optional_ones() -> None:
    outcomes = {path: WORKER.run(raw(record)) for path, record in records("null").items()}
    rejected = {path for path, out in outcomes.items() if out.rejects}
    assert rejected == {".fee", ".prices[...]"}
    rows = {path: out.emitted["order"].rows.to_pylist()[0] for path, out in outcomes.items() if not out.rejects}
    assert all(of_place(row, path) is None for path, row in rows.items())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'"\\ud800"', "malformed"),
        (b'"\xff"', "invalid"),
        (b"1e999999999999999999999", "invalid"),
        (b"07", "malformed"),
    ],
)
def test_what_is_no_text(value: bytes, reason: str) -> None:
    (reject,) = WORKER.run(raw(b'{"event_type":"order","price":%s}' % value)).rejects
    assert reject.reason == reason


def test_a_missing_decimal_has_its_default() -> None:
    out = WORKER.run(raw(b'{"event_type":"order"}'))
    assert out.emitted["order"].rows.column("fee").to_pylist() == [Decimal(7)]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(st.sampled_from("0123456789+-._eE \u0665\uff15nNaAiIfF"), max_size=8))
def test_text_is_taken_where_json_takes_it_as_a_number(text: str) -> None:
    try:
        is_number = isinstance(json.loads(text, parse_constant=lambda name: name), int | float) and text == text.strip()
    except ValueError:
        is_number = False
    (record,) = (records(json.dumps(text))[path] for path in [".price"])
    rejects = WORKER.run(raw(record)).rejects
    assert all("as JSON writes numbers" not in each.error for each in rejects) == is_number
