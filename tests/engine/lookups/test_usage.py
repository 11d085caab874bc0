"""Use of a lookup in a stretch of work: how much was asked, and which of its states answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tests.support.remote_lookup import RemoteLookup, answer_to, fetch_of, spec
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.usage import LookupState, LookupUse, merged_use
from trivium.testing import ManualClock


@dataclass
class Named(RemoteLookup):
    """A lookup that names its state."""

    state: str = "v1"

    def snapshot(self) -> str:
        return self.state


class InMemory:
    """A lookup in memory that counts how often it is asked for its name."""

    in_memory = True

    def __init__(self) -> None:
        self.state, self.named = "v1", 0
        self.answer = answer_to([1, 2])

    def fetch(self, keys: pa.Array, _deadline: Deadline) -> Answer:
        places = [key if key in (1, 2) else None for key in keys.to_pylist()]
        return Answer(self.answer.rows, pa.array(places, pa.int32()))

    def snapshot(self) -> str:
        self.named += 1
        return self.state


def client_of(lookup: Any, clock: ManualClock) -> LookupClient:
    return LookupClient(spec(), lookup, clock, RetryBudget())


def ask(client: LookupClient, *keys: int) -> None:
    answer = client.ask(fetch_of(keys))
    if not hasattr(answer, "rows"):
        answer.result(10)


def test_a_state_that_changes_shows_as_oldest_and_newest() -> None:
    clock, lookup = ManualClock(), Named()
    client = client_of(lookup, clock)
    start = clock.now_us()
    assert client.take_use() is None
    ask(client, 1, -1)
    lookup.state = "v2"
    clock.advance(3.0)
    ask(client, 2)
    use = client.take_use()
    assert use is not None
    assert (use.oldest, use.newest) == (LookupState("v1", start), LookupState("v2", start + 3_000_000))
    assert {name: use.counts[name] for name in ("asks", "keys", "calls", "found", "missing")} == {
        "asks": 2, "keys": 3, "calls": 2, "found": 2, "missing": 1,
    }  # fmt: skip
    client.close()


def test_what_is_kept_counts_for_the_state_that_gave_it() -> None:
    clock, lookup = ManualClock(), Named()
    client = client_of(lookup, clock)
    ask(client, 1)
    client.take_use()
    ask(client, 1)
    use = client.take_use()
    assert use is not None
    assert use.counts == {"asks": 1, "keys": 1, "cached": 1}
    assert use.oldest == use.newest
    assert use.newest is not None
    assert use.newest.name == "v1"
    client.close()


def test_a_lookup_without_a_name_has_counts_only() -> None:
    client = client_of(RemoteLookup(), ManualClock())
    ask(client, 1)
    use = client.take_use()
    assert use is not None
    assert (use.counts["calls"], use.oldest, use.newest) == (1, None, None)
    client.close()


def test_one_in_memory_is_counted_and_named_once_a_state() -> None:
    lookup = InMemory()
    client = client_of(lookup, ManualClock())
    for _ in range(3):
        ask(client, 1, 7)
    lookup.state, lookup.answer = "v2", answer_to([1, 2])
    ask(client, 2)
    assert lookup.named == 2
    use = client.take_use()
    assert use is not None
    assert use.oldest is not None
    assert use.newest is not None
    assert (use.oldest.name, use.newest.name) == ("v1", "v2")
    assert use.counts == {"asks": 4, "keys": 7, "calls": 4, "called_keys": 7, "found": 4, "missing": 3}
    assert sum(client.metrics().latency) == 4


def test_uses_are_joined() -> None:
    first = {"a": LookupUse({"calls": 1}, LookupState("v2", 20), LookupState("v3", 30)), "b": LookupUse({"calls": 1})}
    second = {"a": LookupUse({"calls": 2, "found": 1}, LookupState("v1", 10), LookupState("v1", 10))}
    assert merged_use([first, second]) == {
        "a": LookupUse({"calls": 3, "found": 1}, LookupState("v1", 10), LookupState("v3", 30)),
        "b": LookupUse({"calls": 1}),
    }
    same = [{"a": LookupUse({}, LookupState("v1", at), LookupState("v1", at))} for at in (5, 9)]
    assert merged_use(same) == {"a": LookupUse({}, LookupState("v1", 5), LookupState("v1", 5))}
