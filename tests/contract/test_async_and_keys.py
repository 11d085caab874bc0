"""Further refusals when an executor class is defined: coroutines and keys."""

from typing import Any

import pytest

from trivium import ContractError, Enrichment, Event, Executor, NormalizedEvent, Row


class Item(Event, tag="item"):
    name: str
    groups: tuple[tuple[str, ...], ...] = ()


class Line(NormalizedEvent):
    name: str


class Fact(Row):
    name: str


def test_async_forms_are_refused() -> None:
    with pytest.raises(ContractError, match="process is async; executors do no I/O to wait for"):

        class Waits(Executor[Item, Line]):
            async def process(self, event: Item) -> Any: ...


def test_a_key_is_one_value() -> None:
    with pytest.raises(ContractError, match="keyed by 'groups', a list"):

        class Keyed(Executor[Item, Line]):
            fact = Enrichment(Fact, key="groups")

            def process(self, event: Item, fact: Fact) -> Any: ...
