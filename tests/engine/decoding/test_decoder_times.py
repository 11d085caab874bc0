"""Times from JSON and columns: aware, in UTC, whole microseconds, years 1 to 9999."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from tests.support.engine_inputs import NO_DEFAULT, Kept, Outcome, Probe, Rejected, json_of, texts, typed

NO = Rejected()
US, NS = pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


JSON: dict[str, tuple[str, Outcome]] = {
    "Z": ('"2024-03-01T10:00:00Z"', Kept(utc(2024, 3, 1, 10))),
    "lower case": ('"2024-03-01t10:00:00z"', Kept(utc(2024, 3, 1, 10))),
    "space": ('"2024-03-01 10:00:00Z"', Kept(utc(2024, 3, 1, 10))),
    "offset": ('"2024-03-01T10:00:00+02:00"', Kept(utc(2024, 3, 1, 8))),
    "offset over midnight": ('"2024-03-01T01:00:00+02:00"', Kept(utc(2024, 2, 29, 23))),
    "negative offset": ('"2024-02-29T23:30:00-01:00"', Kept(utc(2024, 3, 1, 0, 30))),
    "zero offset": ('"2024-03-01T10:00:00+00:00"', Kept(utc(2024, 3, 1, 10))),
    "microseconds": ('"2024-03-01T10:00:00.123456Z"', Kept(utc(2024, 3, 1, 10, 0, 0, 123456))),
    "one digit": ('"2024-03-01T10:00:00.5Z"', Kept(utc(2024, 3, 1, 10, 0, 0, 500000))),
    "seven digits": ('"2024-03-01T10:00:00.1234567Z"', NO),
    "seven digits and an offset": ('"2024-03-01T10:00:00.1234567+02:00"', NO),
    "nine zeros": ('"2024-03-01T10:00:00.000000000Z"', NO),
    "seven digits, one escaped": (r'"2024-03-01T10:00:00.\u0031234567Z"', NO),
    "seven digits, the last escaped": (r'"2024-03-01T10:00:00.123456\u0037Z"', NO),
    "seven digits after an escaped point": (r'"2024-03-01T10:00:00\u002e1234567Z"', NO),
    "six digits, one escaped": (r'"2024-03-01T10:00:00.\u003123456Z"', Kept(utc(2024, 3, 1, 10, 0, 0, 123456))),
    "naive": ('"2024-03-01T10:00:00"', NO),
    "naive with digits": ('"2024-03-01T10:00:00.123456"', NO),
    "date only": ('"2024-03-01"', NO),
    "leap second": ('"2016-12-31T23:59:60Z"', NO),
    "hour 24": ('"2024-03-01T24:00:00Z"', NO),
    "number": ("1709287200", NO),
    "no date": ('"2023-02-29T00:00:00Z"', NO),
    "empty": ('""', NO),
    "first": ('"0001-01-01T00:00:00Z"', Kept(utc(1, 1, 1))),
    "last": ('"9999-12-31T23:59:59.999999Z"', Kept(datetime.max.replace(tzinfo=UTC))),
    "before the first": ('"0001-01-01T22:59:00+23:00"', NO),
    "after the last": ('"9999-12-31T23:59:59-00:01"', NO),
    "year 0": ('"0000-12-31T00:00:00Z"', NO),
    "before 1970": ('"1969-12-31T23:59:59.999999Z"', Kept(utc(1969, 12, 31, 23, 59, 59, 999999))),
}


@pytest.mark.parametrize("name", JSON)
def test_json(name: str) -> None:
    text, expected = JSON[name]
    assert Probe(datetime).run(json_of(text)) == [expected]


@pytest.mark.parametrize("name", [name for name, (_, outcome) in JSON.items() if isinstance(outcome, Kept)])
def test_the_same_moment_in_a_column(name: str) -> None:
    text, expected = JSON[name]
    assert isinstance(expected, Kept)
    probe, column = Probe(datetime), pa.array([expected.value], US)
    assert probe.run(typed(column)) == [expected]
    worker = probe.workers()["Rows"]
    assert texts(worker, json_of(text)) == texts(worker, typed(column))


def naive(*parts: int) -> pa.Array:
    return pa.array([utc(*parts).replace(tzinfo=None)])


def ticks(value: int | None, arrow: pa.DataType) -> pa.Array:
    return pa.array([value], pa.int64()).cast(arrow)


AFTER_9999 = 253_402_300_800
COLUMNS: dict[str, tuple[pa.Array, str | None, Outcome]] = {
    "seconds": (ticks(0, pa.timestamp("s", "UTC")), None, Kept(utc(1970, 1, 1))),
    "milliseconds": (ticks(-1, pa.timestamp("ms", "UTC")), None, Kept(utc(1969, 12, 31, 23, 59, 59, 999000))),
    "whole microseconds in ns": (ticks(-1000, NS), None, Kept(utc(1969, 12, 31, 23, 59, 59, 999999))),
    "digits below a microsecond": (ticks(1, NS), None, NO),
    "digits below a microsecond before 1970": (ticks(-1, NS), None, NO),
    "another zone": (pa.array([utc(2024, 7, 1)], pa.timestamp("us", "Europe/Zurich")), None, Kept(utc(2024, 7, 1))),
    "seconds after 9999": (ticks(AFTER_9999, pa.timestamp("s", "UTC")), None, NO),
    "seconds far after 9999": (ticks(2**62, pa.timestamp("s", "UTC")), None, NO),
    "microseconds after 9999": (ticks(AFTER_9999 * 10**6, US), None, NO),
    "milliseconds before 1": (ticks(-62_135_596_800_001, pa.timestamp("ms", "UTC")), None, NO),
    "naive in UTC": (ticks(0, pa.timestamp("us")), "UTC", Kept(utc(1970, 1, 1))),
    "naive in Zurich": (naive(2024, 7, 1, 12), "Europe/Zurich", Kept(utc(2024, 7, 1, 10))),
    "ambiguous": (naive(2024, 10, 27, 2, 30), "Europe/Zurich", NO),
    "not existing": (naive(2024, 3, 31, 2, 30), "Europe/Zurich", NO),
    "naive far after 9999": (ticks(2**62, pa.timestamp("s")), "Europe/Zurich", NO),
    "naive after 9999": (ticks(AFTER_9999, pa.timestamp("s")), "America/New_York", NO),
    "naive ns": (ticks(1, pa.timestamp("ns")), "UTC", NO),
    "null": (ticks(None, US), None, NO),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    column, zone, expected = COLUMNS[name]
    assert Probe(datetime).run(typed(column, zone)) == [expected]


def test_one_bad_time_leaves_its_neighbours_alone() -> None:
    column = pa.array([0, 2**62, None, AFTER_9999 - 1], pa.int64()).cast(pa.timestamp("s", "UTC"))
    last = utc(9999, 12, 31, 23, 59, 59)
    assert Probe(datetime | None, None).run(typed(column)) == [Kept(utc(1970, 1, 1)), NO, Kept(None), Kept(last)]


@pytest.mark.parametrize("annotation", [str, int])
def test_fraction_digits_matter_in_times_only(annotation: Any) -> None:
    text = '"x.1234567890"' if annotation is str else '1,"undeclared":"2024-03-01T10:00:00.1234567Z"'
    value = "x.1234567890" if annotation is str else 1
    assert Probe(annotation).run(json_of(text)) == [Kept(value)]


def test_a_default_with_an_offset_is_converted_too() -> None:
    default = datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    probe = Probe(datetime, default)
    missing, null = json_of("1", wire="undeclared"), typed(pa.nulls(1, US))
    assert probe.run(missing) == probe.run(null) == [Kept(utc(2024, 2, 29, 23))]
    worker = probe.workers()["Rows"]
    assert texts(worker, missing) == texts(worker, null)


def test_times_inside_tuples() -> None:
    probe = Probe(tuple[datetime | None, ...])
    inside = '["2024-03-01T10:00:00+02:00",null]'
    column = pa.array([[utc(2024, 3, 1, 8), None]], pa.list_(US))
    expected = [Kept([utc(2024, 3, 1, 8), None])]
    assert probe.run(json_of(inside)) == probe.run(typed(column)) == expected
    worker = probe.workers()["Rows"]
    assert texts(worker, json_of(inside)) == texts(worker, typed(column))
    fine, naive = '["2024-03-01T10:00:00.1234567Z"]', '["2024-03-01T10:00:00"]'
    assert probe.run(json_of(fine, naive)) == [NO, NO]
    assert probe.run(typed(pa.array([[1]], pa.list_(pa.int64())).cast(pa.list_(NS)))) == [NO]


def test_optional_time() -> None:
    probe = Probe(datetime | None, None)
    assert probe.run(json_of("null")) == probe.run(typed(pa.nulls(1, US))) == [Kept(None)]
    assert Probe(datetime, NO_DEFAULT).run(json_of("null")) == [NO]
