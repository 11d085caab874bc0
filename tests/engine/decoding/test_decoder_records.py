"""Whole records: encoding, nesting, tags, duplicate keys, tombstones and types nobody declared."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.engine_inputs import Kept, Probe, Rejected, json_of, outcomes, raw, typed
from tests.support.record_cases import NO_TAG, RECORDS, UNROUTED
from trivium.config.worker_spec import RoutingSpec
from trivium.engine.batch import TypedBatch

TAG = b'"event_type":"given"'


@pytest.mark.parametrize("name", RECORDS)
def test_record(name: str) -> None:
    value, expected = RECORDS[name]
    (outcome,) = Probe(int).run(raw(value))
    assert outcome == expected


def test_all_of_them_in_one_batch() -> None:
    """A record's outcome does not depend on its neighbours."""
    values, expected = zip(*RECORDS.values(), strict=True)
    assert Probe(int).run(raw(*values)) == list(expected)


def test_65_levels_inside_declared_bytes_are_counted_too() -> None:
    probe = Probe(str)
    assert probe.run(json_of('"' + "[" * 100 + '"')) == [Kept("[" * 100)]


def test_unrouted_and_tombstones_can_be_rejected() -> None:
    routing = RoutingSpec(unrouted="reject", tombstones="reject")
    worker = Probe(int).workers(routing)["Rows"]
    out = worker.run(raw(b'{"event_type":"other"}', None, b'{"event_type":"given","value":1}'))
    assert outcomes(out) == [Rejected("unrouted"), Rejected("tombstone"), Kept(1)]
    assert {name: counts.rejected for name, counts in out.counts().items()} == {
        "_unrouted": 1,
        "_tombstone": 1,
        "given": 0,
    }
    assert all(reject.stage == "route" for reject in out.rejects)


def test_another_routing_field() -> None:
    worker = Probe(int).workers(RoutingSpec("kind", "kind"))["Rows"]
    assert outcomes(worker.run(raw(b'{"kind":"given","value":1}', b'{"event_type":"given","value":1}'))) == [
        Kept(1),
        NO_TAG,
    ]


def test_a_reject_before_its_type_is_known_is_counted_apart() -> None:
    out = Probe(int).workers()["Rows"].run(raw(b"{", b'{"value":1}', b'{"event_type":"given","value":"x"}'))
    assert {name: counts.rejected for name, counts in out.counts().items()} == {"_undecoded": 2, "given": 1}


def tags(column: pa.Array) -> TypedBatch:
    batch = typed(pa.array(range(len(column)), pa.int64()))
    columns = pa.RecordBatch.from_arrays([column, batch.columns.column("value")], names=["event_type", "value"])
    return TypedBatch(columns, batch.source, batch.positions)


@pytest.mark.parametrize("arrow", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_tags_in_a_column(arrow: pa.DataType) -> None:
    column = pa.array(["given", None, "other", "", "given"]).cast(arrow)
    assert Probe(int).run(tags(column)) == [Kept(0), NO_TAG, UNROUTED, UNROUTED, Kept(4)]


def test_tags_in_a_column_with_invalid_utf8() -> None:
    column = pa.array([b"given", b"\xff", b"other"]).view(pa.string())
    kept, bad, unrouted = Probe(int).run(tags(column))
    assert (kept, unrouted) == (Kept(0), UNROUTED)
    assert isinstance(bad, Rejected)


def test_part_of_a_larger_table() -> None:
    """Columns that start in the middle of a buffer, as slices do."""
    probe = Probe(tuple[int, ...])
    column = pa.array([[9], None, [1, 2], [3], [300, None]], pa.list_(pa.int16())).slice(2)
    assert probe.run(typed(column)) == [Kept([1, 2]), Kept([3]), Rejected()]


def test_wire_names_at_both_doors() -> None:
    probe = Probe(int, wire="value-of the.thing")
    wired = json_of("1", wire="value-of the.thing"), typed(pa.array([1]), wire="value-of the.thing")
    assert [probe.run(batch) for batch in wired] == [[Kept(1)], [Kept(1)]]
    assert probe.run(json_of("1")) == [Rejected()]


def test_empty_batches() -> None:
    probe = Probe(int)
    assert probe.run(raw()) == probe.run(typed(pa.array([], pa.int64()))) == []
