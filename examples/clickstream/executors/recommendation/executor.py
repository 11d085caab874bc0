"""Recommendations: products that were shown beside another, and how near they are to it."""

from math import sqrt
from typing import Annotated

from msgspec import Meta

from executors.shop_event import Name, ShopEvent, ShopRow, Vector
from trivium import Enrichment, Executor, Hint, Int32, Row

REMOTE = Hint.ASYNC | Hint.CACHEABLE


class Embedding(Row):
    """The vector that a model gives a product."""

    vector: Vector


class Recommendation(ShopEvent, tag="recommendation"):
    """Products shown on the page of a product, best first."""

    product: Name
    shown: Annotated[tuple[Name, ...], Meta(max_length=20)]


class RecommendationRow(ShopRow):
    """Products that were shown; `similarity` is the mean cosine of the `known` ones to the product, null without."""

    product: str
    shown: tuple[str, ...]
    known: Int32
    similarity: float | None = None


class RecommendationExecutor(Executor[Recommendation, RecommendationRow]):
    """A recommendation with its quality. One for a product that the model does not know is dropped."""

    article = Enrichment(Embedding, key="product", lookup="embedding", missing="drop", hints=REMOTE)
    others = Enrichment(Embedding, key="shown", lookup="embedding", missing="null", hints=REMOTE)

    def process(
        self, event: Recommendation, article: Embedding, others: tuple[Embedding | None, ...]
    ) -> RecommendationRow:
        """Return one row for a recommendation."""
        near = [cosine(article.vector, other.vector) for other in others if other is not None]
        return RecommendationRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            product=event.product,
            shown=event.shown,
            known=len(near),
            similarity=sum(near) / len(near) if near else None,
        )


def cosine(one: Vector, other: Vector) -> float:
    """Return the cosine of the angle between two vectors, 0 where one has no length."""
    lengths = sqrt(sum(x * x for x in one)) * sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else 0.0
