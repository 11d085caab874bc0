"""Ray Serve as a lookup, against a real application: what it takes and gives, and each way not to get an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import ray
from ray import serve

from tests.support.remote_facts import EMPTY, FULL, answered, bound, opened
from tests.support.served_facts import facts_application
from trivium import Deadline, Float32, LookupUnavailable, Row
from trivium.config.model.remote_lookups import ServeLookupSettings
from trivium.connectors import check_lookup, open_lookup
from trivium.core.clock import SystemClock
from trivium.core.errors import LookupAnswerError
from trivium.testing import assert_lookup_compliance

KNOWN: dict[Any, Any] = {"a": {**FULL, "unknown": [1, {}]}, "c": {}, "d": {"name": "D"}, ("JFK", 5): {"name": "rain"}}
ODD: dict[str, Any] = {
    "text": "none",
    "few": [],
    "many": [None, None],
    "column": [{"count": 300}],
    "number": [{"count": "5"}],
    "row": [7],
    "nan": [{"ratio": float("nan")}],
    "naive": [{"at": "2026-03-01T08:30:00"}],
    "strange": [{"name": {1, 2}}],
    "batch": pa.RecordBatch.from_pydict({"count": ["5"]}),
    "range": pa.array([{"count": 300}]),
}


class Embedding(Row):
    vector: tuple[Float32, ...]


def section(**settings: Any) -> ServeLookupSettings:
    return ServeLookupSettings(**{"type": "serve", "app": "facts", **settings})


@pytest.fixture(scope="module")
def service(ray_cluster: str) -> Iterator[None]:
    serve.start(proxy_location="Disabled")
    serve.run(facts_application(KNOWN, ODD), name="facts", route_prefix=None)
    yield
    serve.shutdown()


def test_dicts_are_read_as_declared(service: None) -> None:
    for settings in ({}, {"deployment": "facts"}):
        lookup = opened(section(**settings))
        assert answered(lookup, ["a", "b", "c"]) == [FULL, None, EMPTY]
        assert_lookup_compliance(lookup, ["a", "c"], unknown=["b", ""])


def test_arrow_comes_in_and_goes_out(service: None) -> None:
    lookup = opened(section(method="arrow", keys="arrow"))
    assert answered(lookup, ["b", "a", "d"]) == [None, FULL, {**EMPTY, "name": "D"}]
    assert answered(opened(section(method="batch")), ["x", "y"]) == [{**EMPTY, "name": "x"}, {**EMPTY, "name": "y"}]


def test_keys_of_several_fields_are_tuples(service: None) -> None:
    keys = pa.array([{"origin": "JFK", "hour": 5}, {"origin": "JFK", "hour": 6}])
    lookup = opened(section())
    assert answered(lookup, keys) == [{**EMPTY, "name": "rain"}, None]
    assert answered(opened(section(method="last")), ["x"]) == [{**EMPTY, "name": "[('JFK', 5), ('JFK', 6)]"}]


@pytest.mark.parametrize("vector", [[0.1, 2], (0.1, 2.0), np.array([0.1, 2], np.float32), [np.float64(0.1), 2]])
def test_vectors_are_lists_tuples_or_arrays(ray_cluster: str, service: None, vector: Any) -> None:
    serve.run(facts_application({"a": {"vector": vector}}, {}), name="vectors", route_prefix=None)
    [row] = answered(opened(section(app="vectors"), Embedding), ["a"])
    assert row == {"vector": [float(np.float32(0.1)), 2.0]}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("text", "expected a list with a dict or None a key, a struct array with a null for an unknown key"),
        ("few", "expected 1 answers, got 0"),
        ("many", "expected 1 answers, got 2"),
        ("column", "for the key 'column': Expected `int` <= 127"),
        ("number", "for the key 'number': Expected `int | null`, got `str`"),
        ("row", "for the key 'row': expected a dict or None, got int"),
        ("nan", "for the key 'nan': expected a finite number, got nan"),
        ("naive", "for the key 'naive': "),
        ("strange", "for the key 'strange': "),
        ("batch", "column count: "),
        ("range", "for the key 'range': column count: "),
    ],
)
def test_an_answer_that_does_not_fit_names_the_key(service: None, key: str, reason: str) -> None:
    with pytest.raises(LookupAnswerError) as raised:
        answered(opened(section(method="odd")), [key])
    assert str(raised.value).startswith("lookup facts: serve://facts:odd")
    assert reason in str(raised.value)
    assert "Try: " in str(raised.value)


def test_a_deadline_ends_the_wait_and_the_deployment_goes_on(service: None) -> None:
    started = time.monotonic()
    with pytest.raises(LookupUnavailable, match="serve://facts:slow did not answer in time"):
        answered(opened(section(method="slow")), ["a"], seconds=0.3)
    assert time.monotonic() - started < 0.7
    assert answered(opened(section()), ["c"]) == [EMPTY]


def test_a_full_queue_is_unavailable(service: None) -> None:
    serve.run(facts_application({}, {}, queued=1), name="narrow", route_prefix=None)
    lookup = opened(section(app="narrow", method="slow"))
    with ThreadPoolExecutor(6) as pool:
        waits = [pool.submit(answered, lookup, ["a"]) for _ in range(6)]
        ends = [wait.exception() for wait in waits]
    refused = [end for end in ends if end is not None]
    assert refused
    assert {type(end) for end in refused} == {LookupUnavailable}
    assert "backpressure" in str(refused[0])
    assert len(refused) < 6


def test_an_error_of_the_method_is_unavailable_and_bounded(service: None) -> None:
    with pytest.raises(LookupUnavailable, match="facts: ValueError: the model is out of memory") as raised:
        answered(opened(section(method="broken")), ["a"])
    assert len(str(raised.value)) < 300


def test_a_method_that_is_not_there_never_works(service: None) -> None:
    with pytest.raises(
        LookupAnswerError, match="serve://facts:embed: RayServeException: Tried to call a method 'embed'"
    ):
        answered(opened(section(method="embed")), ["a"])


@pytest.mark.parametrize("settings", [{"app": "nobody"}, {"deployment": "nobody"}])
def test_an_application_that_is_not_there_may_come(service: None, settings: dict[str, str]) -> None:
    with pytest.raises(LookupUnavailable, match="nobody"):
        answered(opened(section(**settings)), ["a"])


def test_a_replica_that_dies_is_unavailable_until_it_is_back(service: None) -> None:
    lookup = opened(section())
    assert answered(lookup, ["c"]) == [EMPTY]
    with pytest.raises(LookupUnavailable):
        answered(opened(section(method="die")), ["a"])
    assert answered_soon(lookup) == [EMPTY]


def test_a_redeployed_application_answers_the_same_lookup(service: None) -> None:
    serve.run(facts_application({"c": {"name": "old"}}, {}), name="again", route_prefix=None)
    lookup = opened(section(app="again"))
    assert answered(lookup, ["c"]) == [{**EMPTY, "name": "old"}]
    serve.delete("again")
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["c"], seconds=1.0)
    serve.run(facts_application({"c": {"name": "new"}}, {}), name="again", route_prefix=None)
    assert answered_soon(lookup) == [{**EMPTY, "name": "new"}]


def test_actors_and_replicas_ask_too(service: None) -> None:
    facts = bound(section())

    def places() -> Any:
        return open_lookup(facts, SystemClock()).fetch(keys, Deadline.after(SystemClock(), 10)).index.to_pylist()

    keys = pa.array(["c", "b"])
    assert ray.get(ray.remote(num_cpus=0)(places).remote()) == [0, None]

    @serve.deployment(ray_actor_options={"num_cpus": 0})
    class Host:
        async def __call__(self) -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, places)

    handle = serve.run(Host.bind(), name="host", route_prefix=None)
    assert handle.remote().result(timeout_s=30) == [0, None]


def test_check_says_what_answers(service: None) -> None:
    assert check_lookup(bound(section()), SystemClock()) == "serve://facts:__call__ answers"
    with pytest.raises(LookupUnavailable, match="Application 'nobody' does not exist"):
        check_lookup(bound(section(app="nobody")), SystemClock())


def test_serve_that_was_shut_down_and_started_again_answers(service: None) -> None:
    lookup = opened(section())
    assert answered(lookup, ["c"]) == [EMPTY]
    serve.shutdown()
    with pytest.raises(LookupUnavailable):
        answered(lookup, ["c"], seconds=2.0)
    with pytest.raises(LookupUnavailable, match="Try: serve deploy"):
        answered(lookup, ["c"], seconds=2.0)
    serve.start(proxy_location="Disabled")
    serve.run(facts_application(KNOWN, ODD), name="facts", route_prefix=None)
    assert answered_soon(lookup) == [EMPTY]


def test_a_process_without_a_cluster_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(LookupAnswerError, match=r"this process is in none\. Try: RAY_ADDRESS=HOST:PORT"):
        answered(opened(section()), ["a"])


def answered_soon(lookup: Any) -> list[dict[str, Any] | None]:
    """Return the answer for a key that is there, as soon as there is one."""
    end = time.monotonic() + 30
    while True:
        try:
            return answered(lookup, ["c"], seconds=2.0)
        except LookupUnavailable:
            assert time.monotonic() < end
            time.sleep(0.1)
