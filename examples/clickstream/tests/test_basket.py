"""Orders: their lines, and what is no order."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from executors.order.executor import Address, Order, OrderExecutor, OrderLine
from trivium import RejectError

AT = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)


def order(total: str) -> Order:
    lines = (
        OrderLine(product="p-1", quantity=2, price=Decimal("49.90")),
        OrderLine(product="p-2", quantity=1, price=Decimal("0.20")),
    )
    address = Address(city="Oslo", country="NO")
    return Order(id="o", at=AT, user="ada", lines=lines, total=Decimal(total), ship_to=address)


def test_each_line_is_a_row() -> None:
    rows = OrderExecutor().process(order("100.00"), None)
    assert [(row.event_id, row.amount) for row in rows] == [("o/1", Decimal("99.80")), ("o/2", Decimal("0.20"))]


def test_a_total_that_is_not_that_of_the_lines_is_refused() -> None:
    with pytest.raises(RejectError, match=r"add up to 100\.00, the total is 99\.99"):
        OrderExecutor().process(order("99.99"), None)
