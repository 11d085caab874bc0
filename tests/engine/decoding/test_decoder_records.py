"""Whole records: encoding, nesting, tags, duplicate keys, tombstones and types nobody declared."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.engine_inputs import Dropped, Kept, Outcome, Probe, Rejected, json_of, outcomes, raw, typed
from trivium.config.worker_spec import RoutingSpec
from trivium.engine.batch import TypedBatch

TAG = b'"event_type":"given"'
UNROUTED, TOMBSTONE = Dropped("_unrouted"), Dropped("_tombstone")
NO_TAG, MALFORMED, DEEP = Rejected("no_tag"), Rejected("malformed"), Rejected("nesting")


def nested(levels: int) -> bytes:
    """A record nested so many levels deep in an undeclared field; the record itself is the first."""
    return b'{"event_type":"given","value":1,"x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


RECORDS: dict[str, tuple[bytes | None, Outcome]] = {
    "plain": (b'{"event_type":"given","value":1}', Kept(1)),
    "tag last": (b'{"value":1,"event_type":"given"}', Kept(1)),
    "white space": (b' \n{ "event_type" : "given" , "value" : 1 }\t', Kept(1)),
    "undeclared fields": (b'{"event_type":"given","value":1,"x":{"y":[1,2]}}', Kept(1)),
    "escaped key": (b'{"event_type":"given","v\\u0061lue":1}', Kept(1)),
    "empty": (b"", MALFORMED),
    "cut": (b'{"event_type":"given","value":1', MALFORMED),
    "trailing bytes": (b'{"event_type":"given","value":1}x', MALFORMED),
    "two documents": (b'{"event_type":"given","value":1}{"event_type":"given","value":2}', MALFORMED),
    "trailing comma": (b'{"event_type":"given","value":1,}', MALFORMED),
    "single quotes": (b"{'event_type':'given','value':1}", MALFORMED),
    "comment": (b'{"event_type":"given","value":1/**/}', MALFORMED),
    "byte order mark": (b'\xef\xbb\xbf{"event_type":"given","value":1}', MALFORMED),
    "UTF-16": ('{"event_type":"given","value":1}'.encode("utf-16-le"), MALFORMED),
    "an array": (b'[{"event_type":"given","value":1}]', Rejected("invalid")),
    "a number": (b"5", Rejected("invalid")),
    "the word null": (b"null", Rejected("invalid")),
    "empty object": (b"{}", NO_TAG),
    "tombstone": (None, TOMBSTONE),
    "missing tag": (b'{"value":1}', NO_TAG),
    "null tag": (b'{"event_type":null,"value":1}', NO_TAG),
    "number as tag": (b'{"event_type":1,"value":1}', NO_TAG),
    "object as tag": (b'{"event_type":{},"value":1}', NO_TAG),
    "unknown tag": (b'{"event_type":"other","value":"no int"}', UNROUTED),
    "empty tag": (b'{"event_type":"","value":1}', UNROUTED),
    "tag in other case": (b'{"event_type":"Given","value":1}', UNROUTED),
    "tag NUL": (b'{"event_type":"\\u0000","value":1}', UNROUTED),
    "unknown tag, cut": (b'{"event_type":"other","value":1', MALFORMED),
    "unknown tag, trailing": (b'{"event_type":"other"} x', MALFORMED),
    "unknown tag, bad literal": (b'{"event_type":"other","value":tru}', MALFORMED),
    "unknown tag, NaN": (b'{"event_type":"other","value":NaN}', MALFORMED),
    "unknown tag, too deep": (nested(65).replace(b"given", b"other"), DEEP),
    "invalid UTF-8 in the tag": (b'{"event_type":"\xff","value":1}', Rejected("encoding")),
    "invalid UTF-8 in an undeclared field": (b'{"event_type":"given","value":1,"x":"\xff"}', Kept(1)),
    "duplicate field": (b'{"event_type":"given","value":1,"value":2}', Kept(2)),
    "duplicate field, the last one bad": (b'{"event_type":"given","value":1,"value":"x"}', Rejected("invalid")),
    "duplicate tag, same": (b'{"event_type":"given","event_type":"given","value":1}', Kept(1)),
    "duplicate tag, last known": (b'{"event_type":"other","event_type":"given","value":1}', Kept(1)),
    "duplicate tag, last unknown": (b'{"event_type":"given","event_type":"other","value":1}', UNROUTED),
    "duplicate tag, last null": (b'{"event_type":"given","value":1,"event_type":null}', NO_TAG),
    "duplicate tag, last a number": (b'{"event_type":"given","value":1,"event_type":1}', NO_TAG),
    "64 levels": (nested(64), Kept(1)),
    "65 levels": (nested(65), DEEP),
    "5000 levels": (nested(5000), DEEP),
    "5000 levels never closed": (b'{"event_type":"given","value":1,"x":' + b"[" * 5000, DEEP),
    "brackets in a string": (b'{"event_type":"given","value":1,"x":"' + b"[{" * 200 + b'"}', Kept(1)),
    "brackets after an escaped quote": (b'{"event_type":"given","value":1,"x":"\\"' + b"[{" * 200 + b'"}', Kept(1)),
    "brackets side by side": (b'{"event_type":"given","value":1,"x":[' + b"[]," * 200 + b"{}]}", Kept(1)),
    "brackets side by side, 65 levels": (nested(65)[:-1] + b',"y":[' + b"[]," * 200 + b"{}]}", DEEP),
}


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
