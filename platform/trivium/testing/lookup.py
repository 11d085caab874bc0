"""Compliance of a lookup with its contract: one answer a key, whichever other keys are in the call, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import pyarrow as pa
import pyarrow.types as pt

from trivium.contract.lookup import Answer, Lookup
from trivium.core.clock import Clock, Deadline, SystemClock
from trivium.samples.compliance.breach import cut

_PATIENCE_SECONDS: Final = 30.0


def assert_lookup_compliance(
    lookup: Lookup, keys: Sequence[Any] | pa.Array, *, unknown: Sequence[Any] = (), clock: Clock | None = None
) -> None:
    """Hold a lookup to its contract.

    `keys` are distinct, non-null keys it knows (two or more say most), `unknown` some it does not. `clock` is the one
    it was made with, if not the machine's.

    Raises:
        AssertionError: naming the lookup, the keys, both answers and the likely cause.
    """
    known = keys if isinstance(keys, pa.Array) else pa.array(keys)
    _LookupCheck(lookup, known, clock or SystemClock()).check(pa.array(list(unknown), known.type))


class _LookupCheck:
    def __init__(self, lookup: Lookup, keys: pa.Array, clock: Clock) -> None:
        self._lookup, self._keys, self._clock = lookup, keys, clock

    def check(self, unknown: pa.Array) -> None:
        first = self._rows(self._keys)
        for key, row in zip(self._keys.to_pylist(), first, strict=True):
            if row is None:
                self._fail(key, "keys it knows", ("expected", "a row"), ("got", "null"), "the key is of another type")
        self._same(self._keys, first, "asked twice", "it keeps state, or its rows change between two calls")
        self._same(self._keys.take(_reversed(len(self._keys))), first[::-1], "any order", _BY_PLACE)
        for place in range(len(self._keys)):
            self._same(self._keys.slice(place, 1), first[place : place + 1], "asked alone", _BY_PLACE)
        self._check_unknown(unknown, first)
        self._same(self._keys.slice(0, 0), [], "no keys", "it does not expect to be asked for nothing")

    def _check_unknown(self, unknown: pa.Array, first: Sequence[Any]) -> None:
        for key, row in zip(unknown.to_pylist(), self._rows(unknown), strict=True):
            if row is not None:
                self._fail(key, "unknown keys", ("expected", "null"), ("got", repr(row)), "it answers with a default")
        both = pa.concat_arrays([unknown, self._keys])
        answers = self._rows(both)[len(unknown) :]
        self._same_rows(self._keys, first, answers, "unknown keys beside known ones", _BY_PLACE)

    def _same(self, keys: pa.Array, expected: Sequence[Any], check: str, cause: str) -> None:
        self._same_rows(keys, expected, self._rows(keys), check, cause)

    def _same_rows(self, keys: pa.Array, expected: Sequence[Any], got: Sequence[Any], check: str, cause: str) -> None:
        for key, one, other in zip(keys.to_pylist(), expected, got, strict=True):
            if repr(one) != repr(other):
                self._fail(key, check, ("first", repr(one)), ("now", repr(other)), cause)

    def _rows(self, keys: pa.Array) -> list[Any]:
        """Return the row of each key; what the engine relies on in an answer is checked."""
        before = keys.to_pylist()
        answer: object = self._lookup.fetch(keys, Deadline.after(self._clock, _PATIENCE_SECONDS))
        if not isinstance(answer, Answer):
            self._fail(before, "its answer", ("expected", "Answer"), ("got", type(answer).__name__), "see Lookup.fetch")
        index = answer.index
        if len(index) != len(keys):
            self._fail(before, "its answer", ("expected", f"{len(keys)} places"), ("got", f"{len(index)}"), _BY_PLACE)
        if not pt.is_int32(index.type):
            self._fail(before, "its answer", ("expected", "int32"), ("got", str(index.type)), "pa.array(…, pa.int32())")
        places = index.to_pylist()
        outside = [place for place in places if place is not None and not 0 <= place < answer.rows.num_rows]
        if outside:
            wanted = f"places 0 to {answer.rows.num_rows - 1}"
            self._fail(before, "its answer", ("expected", wanted), ("got", str(outside[:5])), _BY_PLACE)
        if keys.to_pylist() != before:
            self._fail(before, "its keys", ("before", str(before)), ("after", str(keys)), "it changes them in place")
        rows = answer.rows.to_pylist()
        return [None if place is None else rows[place] for place in places]

    def _fail(self, keys: Any, check: str, one: tuple[str, str], other: tuple[str, str], cause: str) -> NoReturn:
        lines = [f"{type(self._lookup).__name__} is not compliant: {check}", f"  input: {cut(repr(keys))}"]
        lines += [f"  {name}: {cut(text)}" for name, text in (one, other)]
        raise AssertionError("\n".join([*lines, f"  likely cause: {cause}"]))


_BY_PLACE: Final = "its index does not follow the keys one by one"


def _reversed(length: int) -> pa.Array:
    return pa.array(range(length - 1, -1, -1), pa.int64())
