"""The client of a lookup with real threads: calls, sharing, errors, closing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

import pyarrow as pa
import pytest

from tests.support.remote_lookup import SHARED, RemoteLookup, answer_to, fetch_of, seen, spec
from trivium.contract.enrichment import Hint
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Deadline, SystemClock
from trivium.core.errors import RunError
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.fetch import Facts, Fetch

CLOCK = SystemClock()


@pytest.fixture
def client_of() -> Any:
    clients: list[LookupClient] = []

    def make(lookup: Any, **settings: Any) -> LookupClient:
        clients.append(LookupClient(spec(**settings), lookup, CLOCK, RetryBudget()))
        return clients[-1]

    yield make
    for each in clients:
        each.close()


def facts(answer: Facts | Future[Facts], seconds: float = 10.0) -> Facts:
    return answer if isinstance(answer, Facts) else answer.result(seconds)


def test_answers_are_kept_and_given_at_once(client_of: Any) -> None:
    lookup = RemoteLookup()
    client = client_of(lookup)
    first = client.ask(fetch_of([3, -1, 2]))
    assert isinstance(first, Future)
    assert seen(facts(first)) == [("HIT", 30), ("MISSING", None), ("HIT", 20)]
    again = client.ask(fetch_of([2, 3, -1]))
    assert isinstance(again, Facts)
    assert seen(again) == [("HIT", 20), ("HIT", 30), ("MISSING", None)]
    assert seen(facts(client.ask(fetch_of([2, 7])))) == [("HIT", 20), ("HIT", 70)]
    assert lookup.calls == [[3, -1, 2], [7]]


def test_without_cacheable_nothing_is_kept(client_of: Any) -> None:
    lookup = RemoteLookup()
    client = client_of(lookup)
    for _ in range(2):
        assert seen(facts(client.ask(fetch_of([1], Hint.ASYNC)))) == [("HIT", 10)]
    assert lookup.calls == [[1], [1]]
    assert client.metrics().cache_keys == 0


@pytest.mark.parametrize(("hints", "most"), [(Hint.NONE, 1), (Hint.CACHEABLE, 1), (SHARED, 4), (Hint.ASYNC, 4)])
def test_calls_run_beside_others_only_where_the_hint_allows_it(client_of: Any, hints: Hint, most: int) -> None:
    together = threading.Barrier(most)
    lookup = RemoteLookup(lambda *_: (together.wait(10), None)[1])
    client = client_of(lookup, concurrency=4, max_keys=10)
    asked = [client.ask(fetch_of(range(at, at + 40), hints)) for at in (0, 100)]
    assert [len(facts(each).index) for each in asked] == [40, 40]
    assert lookup.most_at_once == most
    assert sorted(map(len, lookup.calls)) == [10] * 8


def test_facts_of_a_time_are_other_facts(client_of: Any) -> None:
    lookup = RemoteLookup()
    client = client_of(lookup)
    assert seen(facts(client.ask(fetch_of([1, 1], times=[5, 6])))) == [("HIT", 10), ("HIT", 10)]
    assert isinstance(client.ask(fetch_of([1], times=[6])), Facts)
    assert seen(facts(client.ask(fetch_of([1], times=[7])))) == [("HIT", 10)]
    assert (lookup.calls, lookup.times) == ([[1, 1], [1]], [[5, 6], [7]])


def test_keys_of_several_fields_are_told_apart(client_of: Any) -> None:
    class Pairs:
        calls = 0

        def fetch(self, keys: pa.Array, _deadline: Deadline) -> Answer:
            Pairs.calls += 1
            return answer_to([key["a"] * 100 + key["b"] for key in keys.to_pylist()])

    client = client_of(Pairs())
    keys = pa.array([{"a": 1, "b": 2}, {"a": 2, "b": 1}])
    for _ in range(2):
        assert seen(facts(client.ask(Fetch("values", keys, None, SHARED)))) == [("HIT", 1020), ("HIT", 2010)]
    assert Pairs.calls == 1


def test_failures_are_tried_again_and_then_said_by_the_facts(client_of: Any) -> None:
    def behave(number: int, _keys: Any, _deadline: Any) -> None:
        if number < 2:
            raise LookupUnavailable("down for a moment")

    lookup = RemoteLookup(behave)
    patient = client_of(lookup, retry=RetryPolicy(attempts=3, first_delay_seconds=0.01))
    assert seen(facts(patient.ask(fetch_of([1])))) == [("HIT", 10)]
    gone = client_of(RemoteLookup(lambda *_: (_ for _ in ()).throw(LookupUnavailable("gone"))))
    found = facts(gone.ask(fetch_of([1, 2])))
    assert (seen(found), found.error) == ([("UNAVAILABLE", None)] * 2, "gone")


def test_one_ask_may_fail_in_part(client_of: Any) -> None:
    def behave(_number: int, keys: list[int], _deadline: Any) -> None:
        if 3 in keys:
            raise LookupUnavailable("not three")

    client = client_of(RemoteLookup(behave), max_keys=2)
    states = [state for state, _ in seen(facts(client.ask(fetch_of([1, 2, 3, 4, -5]))))]
    assert states == ["HIT", "HIT", "UNAVAILABLE", "UNAVAILABLE", "MISSING"]


WRONG = {
    "expected an Answer, got dict": {},
    "expected an int32 index, got int64": Answer(answer_to([1]).rows, pa.array([0, 1])),
    "expected an index of 2 entries, one a key, got 1": Answer(answer_to([1]).rows, pa.array([0], pa.int32())),
    "expected places 0 to 1 or null in its index, got 2": Answer(answer_to([1]).rows, pa.array([0, 2], pa.int32())),
    "expected places 0 to 1 or null in its index, got -1": Answer(
        answer_to([1]).rows, pa.array([-1, None], pa.int32())
    ),
    "expected one column value, got columns text, more": Answer(
        answer_to([1]).rows.drop_columns(["value"]), pa.array([0, 1], pa.int32())
    ),
    "expected column value of type int64, got double": Answer(
        answer_to([1]).rows.rename_columns(["text", "value", "old"]), pa.array([0, 1], pa.int32())
    ),
    "expected no null in column value, got 1 in 2 rows": Answer(
        pa.RecordBatch.from_pydict({"value": pa.array([10, None]), "text": ["1", "2"]}), pa.array([0, 1], pa.int32())
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_broken_answer_is_an_error_and_no_unavailability(client_of: Any, said: str) -> None:
    lookup = RemoteLookup(lambda *_: WRONG[said])
    client = client_of(lookup, retry=RetryPolicy(attempts=3, first_delay_seconds=0.01))
    with pytest.raises(RunError, match="lookup values gave no usable answer: LookupAnswerError") as error:
        facts(client.ask(fetch_of([1, 2])))
    assert said in str(error.value)
    assert len(lookup.calls) == 1


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_whatever_a_lookup_raises_reaches_its_caller(client_of: Any, error: BaseException) -> None:
    def behave(*_: Any) -> None:
        raise error

    client = client_of(RemoteLookup(behave))
    with pytest.raises(RunError, match=f"lookup values gave no usable answer: {type(error).__name__}"):
        facts(client.ask(fetch_of([1])))
    assert client.metrics().in_flight == 0


def test_a_limit_ends_an_ask_though_its_call_hangs(client_of: Any) -> None:
    release = threading.Event()
    client = client_of(RemoteLookup(lambda *_: (release.wait(10), None)[1]), concurrency=1)
    start = time.monotonic()
    asked = [client.ask(fetch_of([key]), Deadline.after(CLOCK, 0.05)) for key in range(5)]
    assert [seen(facts(each)) for each in asked] == [[("UNAVAILABLE", None)]] * 5
    assert time.monotonic() - start < 2
    release.set()


def test_a_lookup_in_memory_is_called_in_the_caller_s_thread(client_of: Any) -> None:
    class Memory(RemoteLookup):
        in_memory = True

    threads: list[threading.Thread] = []
    lookup = Memory(lambda *_: threads.append(threading.current_thread()))
    client = client_of(lookup)
    for _ in range(2):
        answer = client.ask(fetch_of([1, -2]))
        assert isinstance(answer, Facts)
        assert seen(answer) == [("HIT", 10), ("MISSING", None)]
    assert threads == [threading.current_thread()] * 2


def test_one_in_memory_that_is_unavailable_is_tried_again_beside_the_caller(client_of: Any) -> None:
    class Memory(RemoteLookup):
        in_memory = True

    def behave(number: int, *_: Any) -> None:
        if number < 2:
            raise LookupUnavailable("its file is gone")

    client = client_of(Memory(behave), retry=RetryPolicy(attempts=2, first_delay_seconds=0.01))
    assert seen(facts(client.ask(fetch_of([1])))) == [("HIT", 10)]


def test_as_of_needs_a_lookup_that_knows_times(client_of: Any) -> None:
    class Timeless:
        def fetch(self, keys: pa.Array, _deadline: Deadline) -> Answer:
            return answer_to(keys.to_pylist())

    with pytest.raises(RunError, match="lookup values knows no facts as of a time: Timeless has no fetch_as_of"):
        facts(client_of(Timeless()).ask(fetch_of([1], times=[1])))


def test_closing_ends_asks_threads_and_the_lookup(client_of: Any) -> None:
    release = threading.Event()
    lookup = RemoteLookup(lambda *_: (release.wait(0.1), None)[1])
    client = client_of(lookup, concurrency=2)
    asked = client.ask(fetch_of([1]))
    client.close()
    assert facts(asked).error == "its client was closed"
    assert seen(facts(client.ask(fetch_of([2])))) == [("UNAVAILABLE", None)]
    client.close()
    assert lookup.closed == 1
    assert [each.name for each in threading.enumerate() if each.name.startswith("trivium-lookup-values")] == []
