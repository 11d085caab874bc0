"""Bad records, each of another kind, with the stage and the reason it must be rejected for."""

import gzip
import json
from typing import Any, Final

Verdict = str
"""`stage/reason` of a dead letter, `dropped` or `emitted`."""


def tick(**changed: Any) -> bytes:
    """A good record of a type of its own identity, with some fields changed; None leaves a field out."""
    event = {"event_type": "tick", "event_id": "poison", "at": "2026-03-01T12:00:00Z", "value": 7} | changed
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def with_text(old: str, new: str | bytes, **changed: Any) -> bytes:
    """A record with a piece of its text replaced, by what no encoder would write."""
    whole = tick(**changed)
    replacement = new.encode() if isinstance(new, str) else new
    assert whole.count(old.encode()) == 1
    return whole.replace(old.encode(), replacement)


def nested(levels: int) -> bytes:
    """A record that is nested, in a field nobody declared."""
    return with_text('"EXTRA"', "[" * (levels - 1) + "]" * (levels - 1), extra="EXTRA")


LARGE: Final = 20 << 20
MALFORMED: Final[dict[str, bytes]] = {
    "no JSON": b"no json",
    "empty": b"",
    "blank": b" \n\t ",
    "cut off": tick()[:-9],
    "an open string": tick()[:20],
    "trailing bytes": tick() + b" x",
    "two documents": tick() + tick(),
    "a trailing comma": tick()[:-1] + b",}",
    "single quotes": tick().replace(b'"', b"'"),
    "a comment": tick() + b"// said somebody",
    "a byte order mark": b"\xef\xbb\xbf" + tick(),
    "UTF-16": tick().decode().encode("utf-16"),
    "zero bytes": bytes(16),
    "no text at all": bytes(range(128, 256)),
    "gzip": gzip.compress(tick(), mtime=0),
    "NaN": with_text('"RATIO"', "NaN", ratio="RATIO"),
    "infinity": with_text('"RATIO"', "Infinity", ratio="RATIO"),
    "minus infinity": with_text('"RATIO"', "-Infinity", ratio="RATIO"),
    "a leading zero": with_text('"value": 7', '"value": 07'),
    "a plus sign": with_text('"value": 7', '"value": +7'),
    "hexadecimal": with_text('"value": 7', '"value": 0x7'),
    "a bad escape": with_text("poison", r"poi\son"),
    "half a surrogate pair": with_text("poison", r"poi\ud800son"),
    "a raw line feed": with_text("poison", "poi\nson"),
    "an unknown type, malformed": tick(event_type="tock")[:-1],
}
INVALID: Final[dict[str, bytes]] = {
    "an array": b"[" + tick() + b"]",
    "a number": b"7",
    "a string": b'"tick"',
    "null": b"null",
    "true": b"true",
    "an int beyond 64 bits": tick(value=2**64),
    "an int below 64 bits": tick(value=-(2**63) - 1),
    "an int beyond its column": tick(small=2**31),
    "1.0 for an int": tick(value=1.0),
    "1e2 for an int": with_text('"value": 7', '"value": 1e2'),
    "text for an int": tick(value="7"),
    "true for an int": tick(value=True),
    "null for an int": with_text('"value": 7', '"value": null'),
    "a missing field": tick(value=None),
    "a number for text": tick(event_id=7),
    "text for a list": tick(tags="a"),
    "null in a list": tick(tags=["a", None]),
    "a list for a number": tick(key=[1]),
    "a float beyond all floats": with_text('"RATIO"', "1e999", ratio="RATIO"),
    "a naive time": tick(at="2026-03-01T12:00:00"),
    "nanoseconds": tick(at="2026-03-01T12:00:00.123456789Z"),
    "a field twice, the last of a wrong type": with_text('"value": 7', '"value": 7, "value": "no"'),
    "no time": tick(at="yesterday"),
    "a number for a time": tick(at=1767225600),
    "the thirtieth of February": tick(at="2026-02-30T12:00:00Z"),
    "20 MB of a bad record": tick(value="7", extra="x" * LARGE),
}
KINDS: Final[dict[str, tuple[bytes | None, Verdict]]] = {
    **{name: (value, "decode/malformed") for name, value in MALFORMED.items()},
    **{name: (value, "decode/invalid") for name, value in INVALID.items()},
    "Latin-1": (with_text("poison", b"p\xf6ison"), "decode/encoding"),
    "an overlong encoding": (with_text("poison", b"poi\xc0\xafson"), "decode/encoding"),
    "nested 65 levels": (nested(65), "decode/nesting"),
    "nested 100,000 levels": (nested(100_000), "decode/nesting"),
    "no type": (with_text('"event_type": "tick", ', ""), "decode/no_tag"),
    "null for a type": (with_text('"tick"', "null"), "decode/no_tag"),
    "a number for a type": (with_text('"tick"', "7"), "decode/no_tag"),
    "an event before all time": (tick(at="1969-12-31T23:59:59Z"), "validate/invalid_row"),
    "an event in a far future": (tick(at="2300-01-01T00:00:00Z"), "validate/invalid_row"),
    "a lookup that knows nothing": (tick(key=77), "enrich/enrichment_missing"),
    "an executor that says no": (tick(action="raise"), "process/RejectError"),
    "a null value": (None, "dropped"),
    "an unknown type": (tick(event_type="tock"), "dropped"),
    "64 levels": (nested(64), "emitted"),
    "a field twice": (with_text('"value": 7', '"value": 1, "value": 7'), "emitted"),
    "20 MB of a good record": (tick(extra="x" * LARGE), "emitted"),
}
