"""Hard scalar values, each through raw JSON and, where it can exist in one, through a typed column: one answer."""

from __future__ import annotations

import enum
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pyarrow as pa
import pytest
from msgspec import Meta

from tests.support.engine_inputs import NO_DEFAULT, Kept, Probe, Rejected, json_of, texts, typed
from trivium import Float32, Int8, Int16, Int32, Precision

Money = Annotated[Decimal, Precision(5, 2)]
Wide = Annotated[Decimal, Precision(38, 10)]
NO = Rejected()
BAD = Rejected("malformed")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Grade(enum.IntEnum):
    LOW = 1
    HIGH = 5


def column(value: Any, arrow: pa.DataType) -> pa.Array:
    return pa.array([value], arrow)


# name: (declared type, JSON text or None, typed column or None, outcome)
CASES: dict[str, tuple[Any, str | bytes | None, pa.Array | None, Any]] = {
    "int": (int, "7", column(7, pa.int64()), Kept(7)),
    "int highest": (int, str(2**63 - 1), column(2**63 - 1, pa.int64()), Kept(2**63 - 1)),
    "int lowest": (int, str(-(2**63)), column(-(2**63), pa.int64()), Kept(-(2**63))),
    "int above 64 bits signed": (int, str(2**63), column(2**63, pa.uint64()), NO),
    "int below 64 bits": (int, str(-(2**63) - 1), None, NO),
    "int of 400 digits": (int, "9" * 400, None, NO),
    "uint64 that fits": (int, "5", column(5, pa.uint64()), Kept(5)),
    "uint64 highest": (int, str(2**64 - 1), column(2**64 - 1, pa.uint64()), NO),
    "uint64 for Int8": (Int8, "200", column(200, pa.uint64()), NO),
    "int 1.0": (int, "1.0", None, NO),
    "int 1e2": (int, "1e2", None, NO),
    "int 1.5": (int, "1.5", None, NO),
    "int as text": (int, '"1"', None, NO),
    "int as bool": (int, "true", None, NO),
    "int -0": (int, "-0", column(0, pa.int64()), Kept(0)),
    "int with leading zero": (int, "01", None, BAD),
    "int with plus": (int, "+1", None, BAD),
    "Int8 highest": (Int8, "127", column(127, pa.int64()), Kept(127)),
    "Int8 above": (Int8, "128", column(128, pa.int64()), NO),
    "Int8 lowest": (Int8, "-128", column(-128, pa.int16()), Kept(-128)),
    "Int8 below": (Int8, "-129", column(-129, pa.int16()), NO),
    "Int16 above": (Int16, "32768", column(32768, pa.int32()), NO),
    "Int32 highest": (Int32, str(2**31 - 1), column(2**31 - 1, pa.uint32()), Kept(2**31 - 1)),
    "Int32 above": (Int32, str(2**31), column(2**31, pa.uint32()), NO),
    "int widened": (int, "-3", column(-3, pa.int8()), Kept(-3)),
    "int null": (int, "null", column(None, pa.int64()), NO),
    "int null of null type": (int, "null", pa.nulls(1), NO),
    "optional int null": (int | None, "null", column(None, pa.int64()), Kept(None)),
    "optional int null of null type": (int | None, "null", pa.nulls(1), Kept(None)),
    "ge met": (Annotated[Int32, Meta(ge=-120)], "-120", column(-120, pa.int32()), Kept(-120)),
    "ge broken": (Annotated[Int32, Meta(ge=-120)], "-121", column(-121, pa.int32()), NO),
    "gt broken": (Annotated[int, Meta(gt=0)], "0", column(0, pa.int64()), NO),
    "gt met": (Annotated[int, Meta(gt=0)], "1", column(1, pa.int64()), Kept(1)),
    "le broken": (Annotated[int, Meta(le=9)], "10", column(10, pa.int8()), NO),
    "lt broken": (Annotated[int, Meta(lt=9)], "9", column(9, pa.int8()), NO),
    "lt met": (Annotated[int, Meta(lt=9)], "8", column(8, pa.int8()), Kept(8)),
    "multiple_of met": (Annotated[int, Meta(multiple_of=5)], "15", column(15, pa.int64()), Kept(15)),
    "multiple_of broken": (Annotated[int, Meta(multiple_of=5)], "16", column(16, pa.int64()), NO),
    "float": (float, "1.5", column(1.5, pa.float64()), Kept(1.5)),
    "float from int": (float, "3", column(3, pa.int64()), Kept(3.0)),
    "float from int beyond 2^53": (float, str(2**53 + 1), column(2**53 + 1, pa.int64()), Kept(float(2**53))),
    "float from float32": (float, "0.5", column(0.5, pa.float32()), Kept(0.5)),
    "float -0.0": (float, "-0.0", column(-0.0, pa.float64()), Kept(-0.0)),
    "float denormal": (float, "5e-324", column(5e-324, pa.float64()), Kept(5e-324)),
    "float underflow": (float, "1e-400", None, Kept(0.0)),
    "float highest": (
        float,
        "1.7976931348623157e308",
        column(1.7976931348623157e308, pa.float64()),
        Kept(1.7976931348623157e308),
    ),
    "float NaN": (float, "NaN", column(float("nan"), pa.float64()), NO),
    "float infinity": (float, "Infinity", column(float("inf"), pa.float64()), NO),
    "float -infinity": (float, "-Infinity", column(float("-inf"), pa.float64()), NO),
    "float 1e400": (float, "1e400", None, NO),
    "float -1e400": (float, "-1e400", None, NO),
    "float NaN as text": (float, '"NaN"', None, NO),
    "optional float NaN": (float | None, "NaN", column(float("nan"), pa.float64()), NO),
    "float limit": (Annotated[float, Meta(ge=0.0, lt=1.0)], "1.0", column(1.0, pa.float64()), NO),
    "float limit met": (Annotated[float, Meta(ge=0.0, lt=1.0)], "0.0", column(0.0, pa.float64()), Kept(0.0)),
    "Float32 rounded": (Float32, "0.1", column(0.1, pa.float64()), Kept(0.10000000149011612)),
    "Float32 as is": (Float32, "0.10000000149011612", column(0.1, pa.float32()), Kept(0.10000000149011612)),
    "Float32 overflow": (Float32, "1e39", column(1e39, pa.float64()), NO),
    "Float32 highest": (
        Float32,
        "3.4028234663852886e38",
        column(3.4028234663852886e38, pa.float64()),
        Kept(3.4028234663852886e38),
    ),
    "Float32 underflow": (Float32, "1e-60", column(1e-60, pa.float64()), Kept(0.0)),
    "Float32 NaN": (Float32, "NaN", column(float("nan"), pa.float32()), NO),
    "bool": (bool, "true", column(True, pa.bool_()), Kept(True)),
    "bool as 1": (bool, "1", None, NO),
    "str": (str, '"é"', column("é", pa.string()), Kept("é")),
    "str large": (str, '"a"', column("a", pa.large_string()), Kept("a")),
    "str view": (str, '"a"', column("a", pa.string_view()), Kept("a")),
    "str dictionary": (str, '"a"', pa.array(["a"]).dictionary_encode(), Kept("a")),
    "str empty": (str, '""', column("", pa.string()), Kept("")),
    "str with nul": (str, r'"a\u0000b"', column("a\0b", pa.string()), Kept("a\0b")),
    "str invalid UTF-8": (str, b'"\xff"', pa.array([b"\xff"]).view(pa.string()), Rejected("encoding")),
    "str cut UTF-8": (str, b'"\xe2\x82"', pa.array([b"\xe2\x82"]).view(pa.string()), Rejected("encoding")),
    "str UTF-8 surrogate": (
        str,
        b'"\xed\xa0\x80"',
        pa.array([b"\xed\xa0\x80"]).view(pa.string()),
        Rejected("encoding"),
    ),
    "str lone surrogate": (str, r'"\ud800"', None, BAD),
    "str number": (str, "1", None, NO),
    "str min_length": (Annotated[str, Meta(min_length=2)], '"é"', column("é", pa.string()), NO),
    "str min_length met": (Annotated[str, Meta(min_length=2)], '"éé"', column("éé", pa.string()), Kept("éé")),
    "str max_length": (Annotated[str, Meta(max_length=2)], '"abc"', column("abc", pa.string()), NO),
    "str max_length in code points": (
        Annotated[str, Meta(max_length=1)],
        '"😀"',
        column("😀", pa.string()),
        Kept("😀"),
    ),
    "str pattern": (Annotated[str, Meta(pattern="^[A-Z]+$")], '"Ab"', column("Ab", pa.string()), NO),
    "str pattern met": (Annotated[str, Meta(pattern="^[A-Z]+$")], '"AB"', column("AB", pa.string()), Kept("AB")),
    "optional str with limits null": (
        Annotated[str, Meta(min_length=2, pattern="a")] | None,
        "null",
        column(None, pa.string()),
        Kept(None),
    ),
    "enum": (Colour, '"red"', column("red", pa.string()), Kept("red")),
    "enum unknown": (Colour, '"green"', column("green", pa.string()), NO),
    "enum dictionary unknown": (Colour, '"green"', pa.array(["green"]).dictionary_encode(), NO),
    "optional enum null": (Colour | None, "null", column(None, pa.string()), Kept(None)),
    "int enum": (Grade, "5", column(5, pa.int64()), Kept(5)),
    "int enum unknown": (Grade, "2", column(2, pa.int64()), NO),
    "int enum narrow column": (Grade, "1", column(1, pa.int8()), Kept(1)),
    "optional int enum null": (Grade | None, "null", column(None, pa.int64()), Kept(None)),
    "literal": (Literal["a", "b"], '"a"', column("a", pa.string()), Kept("a")),
    "literal unknown": (Literal["a", "b"], '"c"', column("c", pa.string()), NO),
    "int literal": (Literal[1, 2], "2", column(2, pa.int64()), Kept(2)),
    "int literal unknown": (Literal[1, 2], "3", column(3, pa.int64()), NO),
    "optional literal null": (Literal[1, 2] | None, "null", column(None, pa.int64()), Kept(None)),
    "bytes": (bytes, '"aGk="', column(b"hi", pa.binary()), Kept(b"hi")),
    "bytes large": (bytes, '"aGk="', column(b"hi", pa.large_binary()), Kept(b"hi")),
    "bytes fixed size": (bytes, '"aGk="', column(b"hi", pa.binary(2)), Kept(b"hi")),
    "bytes no base64": (bytes, '"a!"', None, NO),
    "bytes max_length": (Annotated[bytes, Meta(max_length=1)], '"aGk="', column(b"hi", pa.binary()), NO),
    "date": (date, '"2024-02-29"', column(date(2024, 2, 29), pa.date32()), Kept(date(2024, 2, 29))),
    "date64": (date, '"2024-02-29"', column(date(2024, 2, 29), pa.date64()), Kept(date(2024, 2, 29))),
    "date that is none": (date, '"2023-02-29"', None, NO),
    "date with time": (date, '"2024-02-29T00:00:00Z"', None, NO),
    "date first": (date, '"0001-01-01"', column(date.min, pa.date32()), Kept(date.min)),
    "date last": (date, '"9999-12-31"', column(date.max, pa.date32()), Kept(date.max)),
    "date after year 9999": (date, '"10000-01-01"', pa.array([2_932_897], pa.int32()).cast(pa.date32()), NO),
    "date before year 1": (date, '"0000-12-31"', pa.array([-719_163], pa.int32()).cast(pa.date32()), NO),
    "decimal": (Money, '"1.50"', column(Decimal("1.50"), pa.decimal128(5, 2)), Kept(Decimal("1.50"))),
    "decimal number": (Money, "1.5", column(Decimal("1.5"), pa.decimal128(5, 1)), Kept(Decimal("1.50"))),
    "decimal number exact as written": (
        Money,
        "0.1",
        column(Decimal("0.1"), pa.decimal256(40, 4)),
        Kept(Decimal("0.10")),
    ),
    "decimal int": (Money, "7", column(7, pa.int32()), Kept(Decimal("7.00"))),
    "decimal exponent": (Money, "1e2", column(100, pa.uint64()), Kept(Decimal("100.00"))),
    "decimal -0": (Money, '"-0"', column(0, pa.int8()), Kept(Decimal("0.00"))),
    "decimal too fine": (Money, "1.005", column(Decimal("1.005"), pa.decimal128(5, 3)), NO),
    "decimal trailing zeros": (Money, "1.5000", column(Decimal("1.5000"), pa.decimal128(9, 4)), Kept(Decimal("1.50"))),
    "decimal highest": (Money, "999.99", column(Decimal("999.99"), pa.decimal128(9, 4)), Kept(Decimal("999.99"))),
    "decimal too large": (Money, "1000", column(1000, pa.int64()), NO),
    "decimal NaN": (Money, '"NaN"', None, NO),
    "decimal signalling NaN": (Money, '"sNaN"', None, NO),
    "decimal infinity": (Money, '"Infinity"', None, NO),
    "decimal huge exponent": (Money, "1e9999999", None, NO),
    "decimal largest exponent": (Money, '"1e999999999999999999"', None, NO),
    "decimal tiny": (Money, "1e-9999999", None, NO),
    "decimal tiny of 300 digits": (Money, "1." + "0" * 300 + "1", None, NO),
    "decimal 1 with 300 zeros": (Money, "1." + "0" * 300, None, Kept(Decimal("1.00"))),
    "decimal of 38 digits": (
        Wide,
        "1234567890123456789012345678.0123456789",
        column(Decimal("1234567890123456789012345678.0123456789"), pa.decimal128(38, 10)),
        Kept(Decimal("1234567890123456789012345678.0123456789")),
    ),
    "decimal of 38 digits too fine": (
        Annotated[Decimal, Precision(38, 0)],
        "1234567890123456789012345678901234567.5",
        column(Decimal("1234567890123456789012345678901234567.5"), pa.decimal256(40, 1)),
        NO,
    ),
    "decimal of 76 digits": (Money, "9" * 76, column(Decimal("9" * 76), pa.decimal256(76, 0)), NO),
    "optional decimal null": (Money | None, "null", column(None, pa.decimal128(5, 2)), Kept(None)),
}


@pytest.mark.parametrize("name", CASES)
def test_raw_and_typed_agree(name: str) -> None:
    annotation, text, values, expected = CASES[name]
    default = None if (isinstance(expected, Kept) and expected.value is None) or "optional" in name else NO_DEFAULT
    probe = Probe(annotation, default)
    if text is not None:
        assert _loosely(probe.run(json_of(text))[0], expected)
    if values is not None:
        assert _loosely(probe.run(typed(values))[0], expected)


def _loosely(outcome: Any, expected: Any) -> bool:
    """Equal; a malformed number or text is a reject of any reason at a door that never sees text."""
    rejected = isinstance(outcome, Rejected) and isinstance(expected, Rejected)
    return rejected or (repr(outcome) == repr(expected))


REASONS = {
    "too large": (int, str(2**63), "invalid"),
    "malformed": (int, "01", "malformed"),
    "bad UTF-8": (str, b'"\xff"', "encoding"),
    "NaN": (float, "NaN", "malformed"),
    "decimal": (Money, "1.005", "invalid"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_reject_says_why_and_where(name: str) -> None:
    annotation, text, reason = REASONS[name]
    worker = Probe(annotation).workers()["Rows"]
    (reject,) = worker.run(json_of(text)).rejects
    assert (reject.stage, reject.reason, reject.attempts) == ("decode", reason, 1)
    assert reject.error


SEEN = {
    "decimal at another scale": (Money, "1.5", column(Decimal("1.5"), pa.decimal128(5, 1))),
    "decimal with exponent": (Money, "1e2", column(100, pa.int8())),
    "decimal -0.0": (Money, '"-0.0"', column(0, pa.int8())),
    "float32": (Float32, "0.1", column(0.1, pa.float64())),
    "float from int": (float, "3", column(3, pa.int64())),
    "enum": (Colour, '"red"', column("red", pa.string())),
    "int enum": (Grade, "5", column(5, pa.int64())),
    "date": (date, '"2024-02-29"', column(date(2024, 2, 29), pa.date64())),
    "optional int": (int | None, "3", column(3, pa.int8())),
}


@pytest.mark.parametrize("name", SEEN)
def test_an_executor_sees_the_same_value_at_both_doors(name: str) -> None:
    annotation, text, values = SEEN[name]
    worker = Probe(annotation, None if "optional" in name else NO_DEFAULT).workers()["Rows"]
    assert texts(worker, json_of(text)) == texts(worker, typed(values))


DEFAULTS: dict[str, tuple[Any, Any]] = {
    "int": (Int8, 3),
    "float32": (Float32, 0.1),
    "str": (str, "none"),
    "bytes": (bytes, b"hi"),
    "date": (date, date(2024, 2, 29)),
    "decimal": (Money, Decimal("1.5")),
    "enum": (Colour, Colour.RED),
    "int enum": (Grade, Grade.HIGH),
    "literal": (Literal["a", "b"], "b"),
    "tuple": (tuple[int, ...], (1, 2)),
    "optional": (int | None, None),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_missing_value_is_the_default_at_both_doors(name: str) -> None:
    annotation, default = DEFAULTS[name]
    probe = Probe(annotation, default)
    arrow = probe.rows.declaration.event_fields[0].type.arrow
    missing, absent = json_of('1,"other":2', wire="undeclared"), typed(pa.array([1]), wire="undeclared")
    worker = probe.workers()["Rows"]
    assert probe.run(missing) == probe.run(absent) == probe.run(typed(pa.nulls(1, arrow)))
    assert texts(worker, missing) == texts(worker, absent) == texts(worker, typed(pa.nulls(1, arrow)))


def test_null_where_only_a_default_is_declared() -> None:
    """In JSON null is a value, and the wrong one; in a column it is all there is to say missing."""
    probe = Probe(int, 3)
    assert probe.run(json_of("null")) == [Rejected()]
    assert probe.run(typed(pa.array([None], pa.int64()))) == [Kept(3)]
