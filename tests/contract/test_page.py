"""The code of the page on the contract, run as its readers would run it."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import trivium

MOMENT = "2026-03-01T12:00:00Z"


@pytest.fixture
def page(repository: Path) -> dict[str, Any]:
    """The names that the page's blocks of code define, of those that stand alone."""
    blocks = re.findall(r"```python\n(class .*?)```", (repository / "docs/contract.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"datetime": datetime, "__name__": "tests.contract.test_page", **vars(trivium)}
    names |= {name: getattr(trivium, name) for name in trivium.__all__}
    for block in blocks:
        if "Executor[" in block:
            exec(compile(block, "docs/contract.md", "exec", dont_inherit=True), names)
    return names


def order(**fields: Any) -> dict[str, Any]:
    return {"order_id": "o-1", "placed": MOMENT, **fields}


def test_every_kind_of_key_of_the_page_finds_its_fact(page: dict[str, Any]) -> None:
    facts = {
        "item": {1: {"name": "pen", "seller_id": 7}, 2: {"name": "ink"}},
        "seller": {7: {"name": "Ada"}, 2: {"name": "two letters"}},
        "rate": [
            {"currency": "CHF", "valid_from": None, "valid_to": "2026-03-01T12:00:00Z", "per_euro": 0.5},
            {"currency": "CHF", "valid_from": MOMENT, "valid_to": None, "per_euro": 0.9},
        ],
        "tax": {("CH", "CHF"): {"percent": 8}},
    }
    events = [
        order(country="CH", currency="CHF", items=[1, 3, 2, 1]),
        order(currency="CHF", placed="2026-02-28T12:00:00Z"),
        order(items=[3]),
    ]
    result = trivium.run(page["OrderExecutor"], events, lookups=facts)
    assert result.rejected.to_pylist() == []
    assert result.rows.drop_columns(["event_id", "event_time"]).to_pylist() == [
        {"items": ["pen", "ink", "pen"], "sellers": 2, "per_euro": 0.9, "percent": 8},
        {"items": [], "sellers": 0, "per_euro": 0.5, "percent": 0},
        {"items": [], "sellers": 0, "per_euro": None, "percent": 0},
    ]
    states = {(each["index"], each["enrichment"]): each["state"] for each in result.incomplete.to_pylist()}
    assert states == {
        (0, "item"): "missing",
        (0, "seller"): "null_key",
        (1, "tax"): "defaulted",
        (2, "item"): "missing",
        (2, "seller"): "null_key",
        (2, "rate"): "missing",
        (2, "tax"): "defaulted",
    }


def test_the_first_executor_of_the_page_runs(page: dict[str, Any]) -> None:
    event = {"flight_id": "f", "scheduled": MOMENT, "tail_number": "N1"}
    result = trivium.run(page["DepartureExecutor"], [event], lookups={"plane": {"N1": {"seats": 3}}})
    assert result.rows.column("seats").to_pylist() == [3]
