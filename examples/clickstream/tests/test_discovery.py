"""Searches: what their vectors are."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from executors.search.executor import Search, SearchExecutor
from executors.shop_event import VECTOR_LENGTH

AT = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)


@pytest.fixture
def executor(tmp_path: Path) -> SearchExecutor:
    words = tmp_path / "words.json"
    words.write_text(json.dumps({"red": [1.0] * VECTOR_LENGTH, "lamp": [0.0] * VECTOR_LENGTH}))
    executor = SearchExecutor()
    executor.open({"words": str(words)})
    return executor


@pytest.mark.parametrize(
    ("query", "vector"),
    [("Red", (1.0,) * VECTOR_LENGTH), (" red  LAMP sofa", (0.5,) * VECTOR_LENGTH), ("sofa", None)],
)
def test_a_query_is_the_mean_of_the_words_that_are_known(executor: SearchExecutor, query: str, vector: object) -> None:
    row = executor.process(Search(id="s", at=AT, user="ada", query=query, found=1), None)
    assert row.vector == vector


def test_a_search_for_nothing_is_not_wanted(executor: SearchExecutor) -> None:
    assert not executor.accepts(Search(id="s", at=AT, user="ada", query=" \t", found=0))
