"""Whole records and their outcomes: encoding, nesting, tags, duplicate keys, tombstones."""

from __future__ import annotations

from tests.support.engine_inputs import Dropped, Kept, Outcome, Rejected

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
