"""Payments, in euros."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

from msgspec import Meta

from executors.product import Amount, Price
from executors.shop_event import Name, ShopEvent, ShopRow
from trivium import Executor, ExecutorOptions, RejectError


class Payment(ShopEvent, tag="payment"):
    """A payment of an order in some currency; `answered_after` is how long the bank took."""

    order: Name
    method: Literal["card", "transfer", "wallet"]
    amount: Price
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    answered_after: timedelta | None = None
    accepted: bool = True


class PaymentRow(ShopRow):
    """A payment that was accepted; `amount` is in euros, `paid` in the currency it was made in."""

    order: str
    method: str
    amount: Amount
    paid: Amount
    currency: str
    answered_after: timedelta | None = None


class PaymentExecutor(Executor[Payment, PaymentRow]):
    """An accepted payment in euros, others are dropped. One of nothing or without a rate is a reject."""

    class Options(ExecutorOptions):
        """Euros for one unit of each currency, as text: money is decimal."""

        rates: dict[str, str] = {"EUR": "1"}  # noqa: RUF012 - pydantic copies it

    options: Options

    def accepts(self, event: Payment) -> bool:
        """Return whether the bank accepted it."""
        return event.accepted

    def process(self, event: Payment) -> PaymentRow:
        """Return one row for a payment."""
        if event.amount <= 0:
            raise RejectError(f"a payment of {event.amount} pays nothing")
        rate = self.options.rates.get(event.currency)
        if rate is None:
            raise RejectError(f"no rate for the currency {event.currency}")
        euros = (event.amount * Decimal(rate)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        return PaymentRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            order=event.order,
            method=event.method,
            amount=euros,
            paid=event.amount,
            currency=event.currency,
            answered_after=event.answered_after,
        )
