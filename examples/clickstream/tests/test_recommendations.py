"""Recommendations: how near what was shown is, and what the model answers."""

from datetime import UTC, datetime

import pytest

from executors.recommendation.executor import Embedding, Recommendation, RecommendationExecutor
from models.embeddings import LENGTH, vector_of

AT = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)
EAST, NORTH, WEST = (Embedding(vector=vector) for vector in ((1.0, 0.0), (0.0, 3.0), (-2.0, 0.0)))


@pytest.mark.parametrize(
    ("others", "known", "similarity"),
    [((EAST, None), 1, 1.0), ((NORTH, WEST), 2, -0.5), ((None,), 0, None), ((), 0, None)],
)
def test_what_is_known_counts(others: tuple[Embedding | None, ...], known: int, similarity: float | None) -> None:
    event = Recommendation(id="r", at=AT, user="ada", product="p-1", shown=tuple("p-2" for _ in others))
    row = RecommendationExecutor().process(event, EAST, others)
    assert (row.known, row.similarity) == (known, similarity)


def test_the_model_gives_a_product_the_same_vector_always() -> None:
    assert vector_of("p-1") == vector_of("p-1") != vector_of("p-2")
    assert len(vector_of("p-1")) == LENGTH
    assert all(-1 <= each < 1 for each in vector_of("p-1"))
