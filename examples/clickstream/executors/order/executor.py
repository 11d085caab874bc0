"""Orders: a row for each of their lines."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from executors.product import Amount, Price
from executors.shop_event import Name, ShopEvent, ShopRow
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int32, RejectError, Row


class OrderLine(Row):
    """Pieces of one product, at a price in euros a piece."""

    product: Name
    quantity: Annotated[Int32, Meta(ge=1, le=999)]
    price: Price


class Address(Row):
    """Where an order goes."""

    city: str
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    postcode: str | None = None


class Order(ShopEvent, tag="order"):
    """An order; `total` is what its lines cost together in euros."""

    lines: Annotated[tuple[OrderLine, ...], Meta(min_length=1, max_length=100)]
    total: Amount
    ship_to: Address
    coupon: str | None = None
    wanted_on: date | None = None


class OrderRow(ShopRow):
    """One line of an order; `event_id` is the order's and the line's number, from 1."""

    order: str
    product: str
    quantity: Int32
    amount: Amount
    ship_to: Address
    coupon: str | None = None
    wanted_on: date | None = None


class OrderExecutor(Executor[Order, OrderRow]):
    """An order, line by line. One whose lines do not add up to its total is a reject."""

    account = Enrichment(User, key="user", missing="null", hints=Hint.CACHEABLE)

    def process(self, event: Order, account: User | None) -> list[OrderRow]:
        """Return a row for each line."""
        amounts = [line.price * line.quantity for line in event.lines]
        if sum(amounts) != event.total:
            raise RejectError(f"the lines add up to {sum(amounts)}, the total is {event.total}")
        return [
            OrderRow(
                event_id=f"{event.id}/{number}",
                event_time=event.at,
                entity=event.user,
                country=account.country if account else None,
                order=event.id,
                product=line.product,
                quantity=line.quantity,
                amount=amount,
                ship_to=event.ship_to,
                coupon=event.coupon,
                wanted_on=event.wanted_on,
            )
            for number, (line, amount) in enumerate(zip(event.lines, amounts, strict=True), 1)
        ]
