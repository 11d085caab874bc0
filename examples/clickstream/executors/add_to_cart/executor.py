"""Products put into a cart."""

from typing import Annotated

from msgspec import Meta

from executors.product import Amount, Product
from executors.shop_event import Name, ShopEvent, ShopRow
from trivium import Enrichment, Executor, Hint, Int32


class AddToCart(ShopEvent, tag="add_to_cart"):
    """Some pieces of a product were put into a cart."""

    product: Name
    quantity: Annotated[Int32, Meta(ge=1, le=999)] = 1


class AddToCartRow(ShopRow):
    """Pieces of a product in a cart, and what they cost together in euros."""

    product: str
    quantity: Int32
    amount: Amount


class AddToCartExecutor(Executor[AddToCart, AddToCartRow]):
    """An addition to a cart at the catalogue's price. A product that the catalogue does not know is a reject."""

    article = Enrichment(Product, key="product", missing="reject", hints=Hint.CACHEABLE)

    def process(self, event: AddToCart, article: Product) -> AddToCartRow:
        """Return one row for an addition."""
        return AddToCartRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            product=event.product,
            quantity=event.quantity,
            amount=article.price * event.quantity,
        )
