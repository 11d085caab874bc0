"""A lookup that calls out, in the hands of a test, and what one asks of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from trivium import Row
from trivium.config.worker_spec import LookupSpec
from trivium.contract.enrichment import Hint
from trivium.contract.lookup import Answer
from trivium.contract.lookup_settings import CacheSettings, LookupBreaker, RemoteLookupSettings, Unavailable
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Deadline
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState
from trivium.types.rows import row_fields

SHARED = Hint.ASYNC | Hint.CACHEABLE


class Value(Row):
    value: int
    text: str | None = None


SCHEMA = pa.schema([pa.field("value", pa.int64(), nullable=False), ("text", pa.string())])


def spec(
    name: str = "values",
    unavailable: Unavailable = "missing",
    retry: RetryPolicy | None = None,
    cache: CacheSettings | None = None,
    breaker: LookupBreaker | None = None,
    **calls: Any,
) -> LookupSpec:
    """A lookup of ints that is called with these settings; without a retry policy nothing is tried again."""
    return LookupSpec(
        name=name,
        columns=row_fields(Value),
        key_type=pa.int64(),
        retry=retry or RetryPolicy(attempts=1),
        unavailable=unavailable,
        calls=RemoteLookupSettings(
            type="test", cache=cache or CacheSettings(), breaker=breaker or LookupBreaker(), **calls
        ),
    )


def fetch_of(keys: Sequence[int], hints: Hint = SHARED, times: Sequence[int] | None = None) -> Fetch:
    """A fetch of these keys, as of these microseconds."""
    as_of = None if times is None else pa.array(times, pa.timestamp("us", "UTC"))
    return Fetch("values", pa.array(keys, pa.int64()), as_of, hints)


def answer_to(keys: Sequence[int], absent: Callable[[int], bool] = lambda key: key < 0) -> Answer:
    """The right answer: ten times the key and its text, a row in front that nobody asked for, absent keys absent."""
    known = [key for key in keys if not absent(key)]
    rows = pa.RecordBatch.from_pydict(
        {
            "text": ["nobody", *map(str, known)],
            "more": [0.5] * (len(known) + 1),
            "value": [-1, *(k * 10 for k in known)],
        },
        schema=pa.schema([("text", pa.string()), ("more", pa.float64()), SCHEMA.field("value")]),
    )
    places = {key: place for place, key in enumerate(known, 1)}
    return Answer(rows, pa.array([places.get(key) for key in keys], pa.int32()))


@dataclass
class RemoteLookup:
    """A lookup that writes its calls down and answers rightly, unless `behave` does something else for a call.

    `behave` gets the number of the call, its keys and the deadline, and returns an answer or None for the right one.
    """

    behave: Callable[[int, list[int], Deadline], Any] = lambda _number, _keys, _deadline: None
    calls: list[list[int]] = field(default_factory=list)
    times: list[list[int] | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    closed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        return self.answer(keys, None, deadline)

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        return self.answer(keys, times.cast(pa.int64()).to_pylist(), deadline)

    def answer(self, keys: pa.Array, times: list[int] | None, deadline: Deadline) -> Any:
        with self.lock:
            number = len(self.calls)
            self.calls.append(keys.to_pylist())
            self.times.append(times)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.behave(number, keys.to_pylist(), deadline)
            return answer_to(keys.to_pylist()) if answer is None else answer
        finally:
            with self.lock:
                self.at_once -= 1

    def close(self) -> None:
        self.closed += 1


def seen(facts: Facts) -> list[tuple[str, int | None]]:
    """State and value of each key; the text must belong to the value."""
    rows = facts.rows.select(["value", "text"]).to_pylist()
    found: list[tuple[str, int | None]] = []
    for place, index in enumerate(facts.index.to_pylist()):
        value = None if index is None else rows[index]["value"]
        assert value is None or rows[index]["text"] == str(value // 10)
        plain = KeyState.MISSING if index is None else KeyState.HIT
        found.append((KeyState(plain if facts.states is None else facts.states[place]).name, value))
    return found
