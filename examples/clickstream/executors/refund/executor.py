"""Refunds: money that goes back."""

from typing import Literal

from executors.product import Amount, Price
from executors.shop_event import Name, ShopEvent, ShopRow
from executors.user import User
from trivium import Enrichment, Executor, ExecutorOptions, Hint


class Refund(ShopEvent, tag="refund"):
    """Money in euros that goes back for some products of an order, or for all of it where none is named."""

    order: Name
    amount: Price
    products: tuple[Name, ...] = ()
    reason: Literal["returned", "damaged", "late", "goodwill"]


class RefundRow(ShopRow):
    """A refund, and whether somebody has to look at it first."""

    order: str
    amount: Amount
    products: tuple[str, ...]
    reason: str
    needs_review: bool


class RefundExecutor(Executor[Refund, RefundRow]):
    """A refund to a known account, others are rejects. A refund of nothing is dropped."""

    class Options(ExecutorOptions):
        """Up to how many euros a refund needs no review; ten times as many for accounts of the tier gold."""

        free_up_to: int = 50

    options: Options
    account = Enrichment(User, key="user", missing="reject", hints=Hint.CACHEABLE)

    def accepts(self, event: Refund) -> bool:
        """Return whether any money goes back."""
        return event.amount > 0

    def process(self, event: Refund, account: User) -> RefundRow:
        """Return one row for a refund."""
        limit = self.options.free_up_to * (10 if account.tier == "gold" else 1)
        return RefundRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            country=account.country,
            order=event.order,
            amount=event.amount,
            products=event.products,
            reason=event.reason,
            needs_review=event.amount > limit,
        )
