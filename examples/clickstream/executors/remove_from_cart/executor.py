"""Products taken out of a cart again."""

from typing import Literal

from executors.product import Product
from executors.shop_event import Name, ShopEvent, ShopRow
from trivium import Enrichment, Executor, Hint


class RemoveFromCart(ShopEvent, tag="remove_from_cart"):
    """A product was taken out of a cart, by its user or because there is none left."""

    product: Name
    reason: Literal["changed_mind", "sold_out"] | None = None


class RemoveFromCartRow(ShopRow):
    """A product that left a cart, with its category."""

    product: str
    category: str
    reason: str | None = None


class RemoveFromCartExecutor(Executor[RemoveFromCart, RemoveFromCartRow]):
    """A removal from a cart. That of a product that the catalogue does not know is dropped."""

    article = Enrichment(Product, key="product", missing="drop", hints=Hint.CACHEABLE)

    def process(self, event: RemoveFromCart, article: Product) -> RemoveFromCartRow:
        """Return one row for a removal."""
        return RemoveFromCartRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            product=event.product,
            category=article.category,
            reason=event.reason,
        )
