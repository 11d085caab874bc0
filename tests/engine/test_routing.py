"""Event types named by a header or the topic: the same outcomes as by a field, and nothing believed of the body."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.engine_inputs import Dropped, Kept, Outcome, Probe, Rejected, outcomes
from tests.support.pipelines import pipeline_of
from tests.support.record_cases import RECORDS
from trivium.config.model.pipeline import Batch, Routing
from trivium.config.model.sources import ParquetSource
from trivium.config.worker_spec import RoutingSpec, spec_of
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingWorker

ROUTINGS = {
    name: pipeline_of([Probe(int).rows], routing=routing).worker_spec.routing
    for name, routing in {"header": Routing(header="kind"), "topics": Routing(topics={"givens": "given"})}.items()
}
HEADER = ROUTINGS["header"]
UNROUTED, TOMBSTONE, NO_TAG = Dropped("_unrouted"), Dropped("_tombstone"), Rejected("no_tag")


def named(values: Sequence[bytes | None], types: Sequence[str | None]) -> RawBatch:
    return RawBatch(values, "topic/0", np.arange(len(values), dtype=np.int64), types)


def run(probe: Probe, batch: Any, routing: RoutingSpec = HEADER) -> list[Outcome]:
    row, column = (outcomes(worker.run(batch)) for worker in probe.workers(routing).values())
    assert row == column
    return row


GIVEN: dict[str, tuple[bytes | None, Outcome]] = {
    "no tag in the body": (b'{"value":1}', Kept(1)),
    "its own tag": (b'{"event_type":"given","value":1}', Kept(1)),
    "another tag is not believed": (b'{"event_type":"other","value":1}', Kept(1)),
    "a tag that is no string": (b'{"event_type":{"a":[1]},"value":1}', Kept(1)),
    "duplicate keys": (b'{"value":1,"value":2}', Kept(2)),
    "a missing field": (b"{}", Rejected()),
    "a wrong value": (b'{"value":"x"}', Rejected()),
    "no json": (b'{"value":1', Rejected("malformed")),
    "trailing bytes": (b'{"value":1}{}', Rejected("malformed")),
    "byte order mark": (b'\xef\xbb\xbf{"value":1}', Rejected("malformed")),
    "no object": (b"[]", Rejected()),
    "empty": (b"", Rejected("malformed")),
    "no value": (None, TOMBSTONE),
    "64 levels": (b'{"value":1,"x":' + b"[" * 63 + b"]" * 63 + b"}", Kept(1)),
    "65 levels": (b'{"value":1,"x":' + b"[" * 64 + b"]" * 64 + b"}", Rejected("nesting")),
    "5000 levels never closed": (b'{"value":1,"x":' + b"[" * 5000, Rejected("nesting")),
    "brackets in a string": (b'{"value":1,"x":"' + b"[{" * 200 + b'"}', Kept(1)),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_record_of_a_named_type(name: str) -> None:
    value, expected = GIVEN[name]
    for routing in ROUTINGS.values():
        assert run(Probe(int), named([value], ["given"]), routing) == [expected]


UNDECLARED: dict[str, tuple[bytes | None, str | None, Outcome]] = {
    "well-formed": (b'{"a":[1,{"b":null}]}', "other", UNROUTED),
    "an empty name": (b"{}", "", UNROUTED),
    "no json": (b'{"a":1', "other", Rejected("malformed")),
    "no object": (b"7", "other", Rejected()),
    "too deep": (b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", "other", Rejected("nesting")),
    "its tag is declared": (b'{"event_type":"given","value":1}', "other", UNROUTED),
    "a tombstone": (None, "other", TOMBSTONE),
    "no type": (b'{"event_type":"given","value":1}', None, NO_TAG),
    "no type and no value": (None, None, TOMBSTONE),
    "no text": (b"{}", b"\xff".decode("utf-8", "surrogateescape"), Rejected("encoding")),
}


@pytest.mark.parametrize("name", UNDECLARED)
def test_a_record_of_another_type_or_of_none(name: str) -> None:
    value, event_type, expected = UNDECLARED[name]
    assert run(Probe(int), named([value], [event_type])) == [expected]


def test_all_of_them_in_one_batch_in_any_order() -> None:
    """A record's outcome does not depend on its neighbours."""
    cases = [(value, "given", expected) for value, expected in GIVEN.values()] + list(UNDECLARED.values())
    for order in (range(len(cases)), np.random.default_rng(7).permutation(len(cases)).tolist()):
        values, types, expected = zip(*(cases[i] for i in order), strict=True)
        assert run(Probe(int), named(values, types)) == list(expected)


def test_every_record_of_the_corpus_has_the_same_outcome_as_by_its_field() -> None:
    """Where the field names the declared type and nothing about the field itself is wrong."""
    same = {name: case for name, case in RECORDS.items() if not _about_the_tag(*case)}
    assert len(same) > 15
    values, expected = zip(*same.values(), strict=True)
    assert run(Probe(int), named(values, ["given"] * len(values))) == list(expected)


def _about_the_tag(value: bytes | None, expected: Outcome) -> bool:
    return expected in (NO_TAG, UNROUTED) or value is None or b'"given"' not in value or b"tag" in value


def test_dropped_by_policy_or_rejected_by_it() -> None:
    routing = RoutingSpec(tag_field=None, unrouted="reject", tombstones="reject")
    batch = named([b"{}", None, b'{"value":1}'], ["other", "given", "given"])
    assert run(Probe(int), batch, routing) == [Rejected("unrouted"), Rejected("tombstone"), Kept(1)]


def test_an_event_may_declare_the_tags_field() -> None:
    probe = Probe(str, wire="event_type")
    assert run(probe, named([b'{"event_type":"whatever"}'], ["given"])) == [Kept("whatever")]


def test_a_reject_counts_for_its_type() -> None:
    worker = Probe(int).workers(HEADER)["Rows"]
    out = worker.run(named([b"{", b'{"value":"x"}', b"{"], ["given", "given", "other"]))
    assert {name: counts.rejected for name, counts in out.counts().items()} == {"given": 2, "_undecoded": 1}


def test_times_finer_than_a_microsecond_are_refused_all_the_same() -> None:
    fine, good = b'{"value":"2024-01-01T00:00:00.1234567Z"}', b'{"value":"2024-01-01T00:00:00.123456Z"}'
    beside = b'{"value":"2024-01-01T00:00:00Z","x":"1.12345678"}'
    kept = [Kept(datetime(2024, 1, 1, microsecond=us, tzinfo=UTC)) for us in (123456, 0)]
    values = [good, fine, beside]
    assert run(Probe(datetime), named(values, ["given"] * 3)) == [kept[0], Rejected(), kept[1]]


def test_typed_columns_name_their_types_in_the_type_column() -> None:
    kinds = pa.array(["given", None, "other", "given"]).dictionary_encode()
    columns = pa.RecordBatch.from_arrays([kinds, pa.array([1, 2, 3, None])], names=["kind", "value"])
    batch = TypedBatch(columns, "day=1/a.parquet", np.arange(4, dtype=np.int64))
    source = ParquetSource(type="parquet", path="raw", type_column="kind")
    values = [b'{"value":1}', b'{"value":2}', b'{"value":3}', b'{"value":null}']
    expected = [Kept(1), NO_TAG, UNROUTED, Rejected()]
    for form in (Probe(int).rows, Probe(int).columns):
        pipeline = pipeline_of([form], routing=Routing(header="kind"))
        config = pipeline.config.model_copy(update={"batch": Batch(source=source)})
        worker = BlockingWorker(replace(pipeline, config=config).worker_spec, {})
        assert outcomes(worker.run(batch)) == expected
        assert outcomes(worker.run(named(values, ["given", None, "other", "given"]))) == expected


def test_a_batch_without_types_where_no_field_names_them_is_refused() -> None:
    batch = RawBatch([b'{"value":1}'], "topic/0", np.arange(1, dtype=np.int64))
    with pytest.raises(ValueError, match="the event type of each record beside it"):
        Probe(int).workers(HEADER)["Rows"].run(batch)


def test_a_type_beside_the_record_counts_where_a_field_would_name_it() -> None:
    worker = Probe(int).workers(RoutingSpec())["Rows"]
    values = [b'{"value":1}', b'{"value":2,"event_type":"other"}', b'{"value":3,"event_type":"given"}']
    assert outcomes(worker.run(named(values, ["given", "given", "other"]))) == [Kept(1), Kept(2), UNROUTED]


def test_typed_columns_of_one_type_need_no_column_that_names_it() -> None:
    columns = pa.RecordBatch.from_arrays([pa.array([1, None])], names=["value"])
    batch = TypedBatch(columns, "a.parquet", np.arange(2, dtype=np.int64), event_type="given")
    for form in (Probe(int).rows, Probe(int).columns):
        assert outcomes(BlockingWorker(spec_of([form]), {}).run(batch)) == [Kept(1), Rejected()]


def test_a_type_for_each_record() -> None:
    worker = Probe(int).workers(HEADER)["Rows"]
    with pytest.raises(ValueError, match="for each of 2 records, got 1"):
        worker.run(named([b"{}", b"{}"], ["given"]))
    assert outcomes(worker.run(named([], []))) == []
