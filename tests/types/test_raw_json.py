"""Sub-documents kept as text: what is taken, in JSON and in columns, and how rows and answers show it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from time import process_time
from typing import Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pipelines import pipeline_of
from trivium import ContractError, Enrichment, Event, Executor, NormalizedEvent, RawJson, Row
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.requests.worker import encode
from trivium.types.conform import conform
from trivium.types.kinds.raw_json import json_text
from trivium.types.rows import row_fields

MOMENT: Final = datetime(2024, 1, 1, tzinfo=UTC)
TEXT: Final = '{"b" : 1.50,"a":[null, "é"],"b":1e999}'


class Sent(Event, tag="sent"):
    payload: RawJson
    extra: RawJson | None = None


class Kept(NormalizedEvent):
    payload: RawJson
    extra: RawJson | None = None


class Rows(Executor[Sent, Kept]):
    def process(self, event: Sent) -> Kept:
        assert type(event.payload) is str
        return Kept(event_id="1", event_time=MOMENT, payload=event.payload, extra=event.extra)


class Broken(Executor[Sent, Kept]):
    def process(self, event: Sent) -> Kept:
        return Kept(event_id="1", event_time=MOMENT, payload=event.payload[:-1])


PAYLOAD, EXTRA = row_fields(Sent)
AT: Final = np.zeros(1, np.int64)


def test_a_document_is_kept_as_it_was_written() -> None:
    spec = pipeline_of([Rows]).worker_spec
    record = f'{{"event_type":"sent","payload": {TEXT} ,"extra":null}}'.encode()
    columns = pa.RecordBatch.from_pydict({"event_type": ["sent"], "payload": [f" {TEXT}\n"], "extra": ["null"]})
    for batch in (RawBatch([record], "t/0", AT), TypedBatch(columns, "t/0", AT)):
        (emitted,) = BlockingWorker(spec, {}).run(batch).emitted.values()
        assert emitted.rows.column("payload").to_pylist() == [TEXT]
        assert emitted.rows.column("extra").to_pylist() == [None]
    (answer,) = json.loads(encode(BlockingRequests(spec, {}).answer(b"[" + record + b"]", max_events=1)))
    assert (answer["rows"][0]["payload"], answer["rows"][0]["extra"]) == (TEXT, None)


@pytest.mark.parametrize("value", [b"null", b'"\xff"', b'"\\ud800"', b"[" * 64 + b"]" * 64])
def test_a_record_whose_document_is_none_is_rejected(value: bytes) -> None:
    batch = RawBatch([b'{"event_type":"sent","payload":' + value + b"}"], "t/0", AT)
    (reject,) = BlockingWorker(pipeline_of([Rows]).worker_spec, {}).run(batch).rejects
    assert reject.stage == "decode"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("null", "a value is required, got null"),
        ("", "expected JSON: Input data was truncated"),
        ("[1,]", "expected JSON: JSON is malformed: trailing comma in array (byte 3)"),
        ("{} {}", "expected JSON: JSON is malformed: trailing characters (byte 4)"),
        ("[" * 65 + "]" * 65, "more than 64 levels of nesting"),
        ("[" * 100_000, "more than 64 levels of nesting"),
    ],
)
def test_a_column_with_a_text_that_is_none_is_rejected(text: str, reason: str) -> None:
    conformed = conform(pa.array(["[]", text]), PAYLOAD)
    assert conformed.column.to_pylist() == ["[]", None]
    assert [(mask.tolist(), why) for mask, why in conformed.flaws] == [([False, True], reason)]


def test_brackets_inside_of_texts_are_no_nesting() -> None:
    for text in (
        '"' + "[" * 100 + '"',
        '["\\"' + "{" * 100 + '"]',
        "[" * 64 + "]" * 64,
        "[" + ",".join(["{}"] * 99) + "]",
    ):
        assert json_text(text.encode()) == text


@settings(max_examples=300, database=None, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from([*'[]{}",: \\01.-e+a', "true", "null", '"a"', "\n", "\\u00e9"])).map("".join))
def test_what_is_taken_is_json_to_pythons_parser_too(text: str) -> None:
    try:
        taken = json_text(text.encode())
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
            json.loads(text)
    else:
        assert json.loads(taken) == json.loads(text)


def test_the_check_takes_time_linear_in_the_text() -> None:
    def seconds(count: int) -> float:
        texts = (b"[" + b",".join([b'["\\\\\\"[",{}]'] * count) + b"]", b'"' + b'\\"[' * count)
        start = process_time()
        for text in texts:
            with suppress(ValueError):
                json_text(text)
        return process_time() - start

    seconds(1_000)
    assert seconds(400_000) < 40 * max(seconds(40_000), 0.005)


def test_a_row_whose_text_is_no_json_is_rejected() -> None:
    batch = RawBatch([b'{"event_type":"sent","payload":{}}'], "t/0", AT)
    (reject,) = BlockingWorker(pipeline_of([Broken]).worker_spec, {}).run(batch).rejects
    assert (reject.stage, reject.error) == ("validate", "payload: expected JSON: Input data was truncated")


def test_it_is_no_key_of_a_lookup() -> None:
    class Fact(Row):
        name: str

    with pytest.raises(ContractError, match="keyed by 'payload', a JSON text; a key is one value"):

        class Keyed(Executor[Sent, Kept]):
            fact = Enrichment(Fact, key="payload")

            def process(self, event: Sent, fact: Fact) -> Kept:
                raise NotImplementedError
