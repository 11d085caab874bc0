"""Typed rows as JSON, of every Arrow type a source may have, whatever the values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.engine.original import original


def no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def written(column: pa.Array, row: int = 0) -> Any:
    text = original(pa.RecordBatch.from_arrays([column], names=["x"]), row).decode()
    return json.loads(text, parse_constant=no_constant)["x"]


def invalid_text(text: bytes) -> pa.Array:
    return pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, len(text)], np.int32)), pa.py_buffer(text)]
    )


NAN = float("nan")
CASES: dict[str, tuple[pa.Array, Any]] = {
    "null": (pa.nulls(1), None),
    "a bool": (pa.array([True]), True),
    "64 bits": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    "a float": (pa.array([1.5]), 1.5),
    "NaN": (pa.array([NAN], from_pandas=False), "NaN"),
    "infinity": (pa.array([float("inf")]), "Infinity"),
    "minus infinity": (pa.array([-float("inf")], pa.float32()), "-Infinity"),
    "half a float": (pa.array([np.float16(0.5)], pa.float16()), 0.5),
    "text": (pa.array(["é\0"]), "é\0"),
    "large text": (pa.array(["a"], pa.large_string()), "a"),
    "a view of text": (pa.array(["a" * 20], pa.string_view()), "a" * 20),
    "text of a dictionary": (pa.array(["a", "b"]).dictionary_encode()[1:], "b"),
    "text that is none": (invalid_text(b"a\xff\xed\xa0\x80"), "a\\xff\\xed\\xa0\\x80"),
    "bytes": (pa.array([b"\xff"]), "/w=="),
    "bytes of one length": (pa.array([b"\xff\x00"], pa.binary(2)), "/wA="),
    "a view of bytes": (pa.array([b"\xff"], pa.binary_view()), "/w=="),
    "a decimal": (pa.array([Decimal("1" * 38)]), "1" * 38),
    "a wide decimal": (pa.array([Decimal("1.50")], pa.decimal256(76, 2)), "1.50"),
    "a time": (pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")), "2024-01-01 00:00:00+00:00"),
    "a time beyond all years": (pa.array([2**62]).cast(pa.timestamp("us", "UTC")), str(2**62)),
    "a date beyond all years": (pa.array([2**30], pa.int32()).cast(pa.date32()), str(2**30)),
    "a time of day": (pa.array([1], pa.time64("us")), "00:00:00.000001"),
    "a list": (pa.array([[NAN, None, 1.0]]), ["NaN", None, 1.0]),
    "a list of bytes": (pa.array([[b"\xff"]], pa.large_list(pa.binary())), ["/w=="]),
    "a list of one length": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [1, 2]),
    "a struct": (pa.array([{"a": b"\xff", "b": {"c": NAN}}]), {"a": "/w==", "b": {"c": "NaN"}}),
    "a map": (pa.array([[("k", NAN)]], pa.map_(pa.string(), pa.float64())), [["k", "NaN"]]),
    "no struct": (pa.array([None], pa.struct([("a", pa.int8())])), None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_json(name: str) -> None:
    column, expected = CASES[name]
    assert written(column) == expected


KINDS = st.recursive(
    st.sampled_from([pa.float64(), pa.binary(), pa.string(), pa.int64()]),
    lambda inner: inner.map(pa.list_) | inner.map(lambda kind: pa.struct([("a", kind), ("é\n", pa.binary())])),
    max_leaves=3,
)


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_list(kind):
        return st.none() | st.lists(values_of(kind.value_type), max_size=3)
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({field.name: values_of(field.type) for field in kind})
    scalars = {
        pa.float64(): st.floats(),
        pa.binary(): st.binary(),
        pa.string(): st.text(),
        pa.int64(): st.integers(0, 9),
    }
    return st.none() | scalars[kind]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(KINDS.flatmap(lambda kind: values_of(kind).map(lambda value: pa.array([value], kind))))
def test_any_value_is_json(column: pa.Array) -> None:
    written(column)
