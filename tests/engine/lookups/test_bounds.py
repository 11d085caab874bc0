"""Bounds of a client under ten million distinct keys: its memory, calls, threads and waiting asks do not grow."""

from __future__ import annotations

import gc
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.remote_lookup import SCHEMA, SHARED, RemoteLookup, seen, spec
from trivium.contract.lookup import Answer
from trivium.contract.lookup_settings import CacheSettings
from trivium.core.clock import Deadline, SystemClock
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.cache import AnswerCache
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.fetch import Facts, Fetch
from trivium.testing.manual_clock import ManualClock

KEYS, AN_ASK = 10_000_000, 1_000
MIB = 1 << 20


def memory() -> int:
    """Bytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def keys_of(number: int) -> pa.Array:
    return pa.array(np.arange(number * AN_ASK, (number + 1) * AN_ASK))


def threads_of_lookups() -> int:
    return sum(each.name.startswith("trivium-lookup") for each in threading.enumerate())


def test_every_call_hangs_under_ten_million_keys() -> None:
    before = threads_of_lookups()
    release, clock = threading.Event(), ManualClock()
    lookup = RemoteLookup(lambda *_: (release.wait(120), None)[1])
    client = LookupClient(spec(concurrency=4, max_keys=AN_ASK), lookup, clock, RetryBudget())
    open_asks: deque[Any] = deque()
    at_start = most = most_waiting = 0
    for number in range(KEYS // AN_ASK):
        asked = client.ask(Fetch("values", keys_of(number), None, SHARED), Deadline.after(clock, 1.0))
        if not isinstance(asked, Facts):
            open_asks.append(asked)
        clock.advance(0.01)
        client.wake()
        while open_asks and open_asks[0].done():
            assert seen(open_asks.popleft().result()) == [("UNAVAILABLE", None)] * AN_ASK
        assert len(open_asks) <= 200
        if number == 1_000:
            at_start = memory()
        if number % 100 == 0:
            most, most_waiting = max(most, memory()), max(most_waiting, client.metrics().waiting)
    found = client.metrics()
    assert found.unavailable >= KEYS - 200 * AN_ASK
    assert (found.in_flight, len(lookup.calls), found.cache_keys) == (4, 4, 0)
    assert found.breaker_openings > 0
    assert most_waiting <= 101
    assert threads_of_lookups() - before <= 5
    assert most - at_start < 64 * MIB
    release.set()
    client.close()
    assert threads_of_lookups() <= before


class Wide:
    """A healthy lookup of rows of about 100 bytes."""

    text = pa.array(["x" * 100] * AN_ASK)

    def fetch(self, keys: pa.Array, _deadline: Deadline) -> Answer:
        return Answer(
            pa.RecordBatch.from_arrays([keys, self.text], schema=SCHEMA), pa.array(np.arange(len(keys), dtype=np.int32))
        )


def test_two_million_keys_take_no_more_memory_than_the_cache_may() -> None:
    client = LookupClient(
        spec(max_keys=AN_ASK, cache=CacheSettings(max_bytes=16 * MIB)), Wide(), SystemClock(), RetryBudget()
    )
    at_start = 0
    for number in range(KEYS // AN_ASK // 5):
        asked = client.ask(Fetch("values", keys_of(number), None, SHARED))
        assert isinstance(asked, Facts) or asked.result(10).index.null_count == 0
        if number == 200:
            at_start = memory()
    assert 8 * MIB < client.metrics().cache_bytes <= 16 * MIB
    assert memory() - at_start < 32 * MIB
    client.close()


def rows_of(values: range, size: int = 10) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values), pa.array(["x" * size] * len(values))], schema=SCHEMA)


def test_a_kept_row_pins_no_answer() -> None:
    cache = AnswerCache(CacheSettings(max_bytes=4 * MIB))
    before = pa.total_allocated_bytes()
    for number in range(200):
        names = [0, *range(1 + number * 1000, 1000 + number * 1000)]
        cache.put(names, np.ones(1000, np.bool_), rows_of(range(1000), 100), float(number))
        assert cache.fresh([0], float(number))[0] >= 0
        assert cache.size <= 4 * MIB
        assert pa.total_allocated_bytes() - before <= cache.size
    gc.collect()
    assert pa.total_allocated_bytes() - before <= cache.size <= 4 * MIB


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    cache = AnswerCache(CacheSettings(max_bytes=1 << 18))
    cache.put([0], np.ones(1, np.bool_), rows_of(range(1)), 0.0)
    for number in range(1, 2000):
        cache.put([number], np.ones(1, np.bool_), rows_of(range(number, number + 1)), 0.0)
        slots = cache.fresh([0, number], 1.0)
        assert (slots >= 0).all()
        found = [rows.take(pa.array(numbers)).column("value").to_pylist() for _, rows, numbers in cache.parts(slots)]
        assert sorted(value for values in found for value in values) == [0, number]
    assert 100 < len(cache) < 2000
    assert cache.size <= 1 << 18


@pytest.mark.parametrize("size", [1, 7])
def test_rows_of_many_small_answers_are_found_again(size: int) -> None:
    cache = AnswerCache(CacheSettings())
    for start in range(0, 3000, size):
        cache.put(list(range(start, start + size)), np.ones(size, np.bool_), rows_of(range(start, start + size)), 0.0)
    for again in range(0, 3000, 5):
        cache.put([again], np.ones(1, np.bool_), rows_of(range(-again, 1 - again)), 1.0)
    slots = cache.fresh(list(range(3000)), 2.0)
    found: dict[int, int] = {}
    for places, rows, numbers in cache.parts(slots):
        values = rows.column("value").take(pa.array(numbers)).to_pylist()
        found.update(zip(places.tolist(), values, strict=True))
    assert found == {key: -key if key % 5 == 0 else key for key in range(3000)}
    assert len(cache.parts(slots)) < 60


def test_twenty_thousand_keys_of_which_most_are_kept_cost_little() -> None:
    lookup = RemoteLookup()
    client = LookupClient(spec(max_keys=AN_ASK), lookup, SystemClock(), RetryBudget())
    first = client.ask(Fetch("values", pa.array(range(20_000)), None, SHARED))
    assert isinstance(first, Facts) or first.result(30)
    best = 1.0
    for number in range(5):
        keys = pa.array([*range(19_000), *range(100_000 + number * 1000, 101_000 + number * 1000)])
        start = time.thread_time()
        asked = client.ask(Fetch("values", keys, None, SHARED))
        best = min(best, time.thread_time() - start)
        assert isinstance(asked, Facts) or asked.result(30)
    assert best < 0.030
    client.close()
