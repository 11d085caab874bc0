"""Reviews: what users say about products."""

from typing import Annotated

from msgspec import Meta

from executors.product import Product
from executors.shop_event import GivenVector, Name, ShopEvent, ShopRow, Vector
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int8


class Review(ShopEvent, tag="review"):
    """Stars and a text; `text_vector` is the text's vector, made where it was written."""

    product: Name
    stars: Annotated[Int8, Meta(ge=1, le=5)]
    text: Annotated[str, Meta(max_length=5_000)] = ""
    photos: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    text_vector: GivenVector


class ReviewRow(ShopRow):
    """A review; `closeness` is the scalar product of both vectors, null where the product is unknown."""

    product: str
    category: str | None = None
    stars: Int8
    words: int
    photos: tuple[str, ...]
    vector: Vector
    closeness: float | None = None


class ReviewExecutor(Executor[Review, ReviewRow]):
    """A review with its product's category."""

    account = Enrichment(User, key="user", missing="null", hints=Hint.CACHEABLE)
    article = Enrichment(Product, key="product", missing="null", hints=Hint.CACHEABLE)

    def process(self, event: Review, account: User | None, article: Product | None) -> ReviewRow:
        """Return one row for a review."""
        return ReviewRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            country=account.country if account else None,
            product=event.product,
            category=article.category if article else None,
            stars=event.stars,
            words=len(event.text.split()),
            photos=event.photos,
            vector=event.text_vector,
            closeness=scalar_product(event.text_vector, article.vector) if article else None,
        )


def scalar_product(one: Vector, other: Vector) -> float:
    """Return the scalar product of two vectors, over the length that both have."""
    return sum(a * b for a, b in zip(one, other, strict=False))
