"""Views of products."""

from typing import Annotated

from msgspec import Meta

from executors.product import Price, Product
from executors.shop_event import Name, ShopEvent, ShopRow, Vector
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int32


class ProductView(ShopEvent, tag="product_view"):
    """A product's page was shown; `rank` is its place in the list that led there, from 1."""

    product: Name
    rank: Annotated[Int32, Meta(ge=1)] | None = None


class ProductViewRow(ShopRow):
    """A product that a user saw, with its vector. What the catalogue does not know is null."""

    product: str
    rank: Int32 | None = None
    category: str | None = None
    price: Price | None = None
    tier: str
    vector: Vector | None = None


class ProductViewExecutor(Executor[ProductView, ProductViewRow]):
    """A view of a product by a user of a known account; those of strangers are dropped."""

    account = Enrichment(User, key="user", missing="drop", hints=Hint.CACHEABLE)
    article = Enrichment(Product, key="product", missing="null", hints=Hint.CACHEABLE)

    def process(self, event: ProductView, account: User, article: Product | None) -> ProductViewRow:
        """Return one row for a view."""
        return ProductViewRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            country=account.country,
            product=event.product,
            rank=event.rank,
            category=article.category if article else None,
            price=article.price if article else None,
            tier=account.tier,
            vector=article.vector if article else None,
        )
