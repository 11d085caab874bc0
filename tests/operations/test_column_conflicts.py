"""Columns that a table cannot take are named with both types, and with the event types and owners of both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_executors import own_executors
from tests.support.platform_year import Platform
from trivium.core.clock import SystemClock
from trivium.operations.plans.batch_plan import plan_batch
from trivium.operations.surroundings import look_everywhere
from trivium.runtimes.batch.prepare import BatchArguments

__all__ = ["own_executors"]


@pytest.fixture
def platform(tmp_path: Path, own_executors: None) -> Platform:
    """A table with a column `amount` of the type `order` of the team shop."""
    made = Platform(tmp_path, ["order", "refund"])
    made.release("order", columns={"amount": "int"})
    made.release("refund")
    made.list_types("order, owner: shop", "refund, owner: pay")
    made.run()
    return made


def conflicts(platform: Platform) -> list[str]:
    pipeline = platform.compile()
    found = plan_batch(pipeline, BatchArguments()).table.conflicts
    missing = [each.reason for each in look_everywhere(pipeline, SystemClock()).missing]
    assert all(any(text in reason for reason in missing) for text in found), "check --connect says the same"
    return list(found)


def test_both_sides_are_named_with_their_owners(platform: Platform) -> None:
    platform.list_types("refund, owner: pay")
    platform.run()
    platform.release("refund", columns={"amount": "float"})
    assert conflicts(platform) == [
        "column amount has another type: long in the table (event type order, owned by shop), "
        "double in the pipeline (event type refund, owned by pay)"
    ]


def test_types_without_an_owner_are_named_alone(platform: Platform) -> None:
    platform.release("order", columns={"amount": "float"})
    platform.list_types("order", "refund")
    assert conflicts(platform) == [
        "column amount has another type: long in the table (event type order, owned by shop), "
        "double in the pipeline (event type order)"
    ]


def test_a_table_without_plans_has_no_known_writers(platform: Platform) -> None:
    for plan in Path(platform.table, "_trivium/plans").iterdir():
        plan.unlink()
    platform.release("order", columns={"amount": "float"})
    assert conflicts(platform) == [
        "column amount has another type: long in the table, double in the pipeline (event type order, owned by shop)"
    ]
