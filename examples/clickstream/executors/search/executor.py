"""Searches: what somebody typed, as a vector."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from executors.shop_event import VECTOR_LENGTH, ShopEvent, ShopRow, Vector
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int32


class Search(ShopEvent, tag="search"):
    """A search with its filters and the number of products found."""

    query: Annotated[str, Meta(max_length=500)]
    filters: dict[str, str] | None = None
    found: Annotated[Int32, Meta(ge=0)]


class SearchRow(ShopRow):
    """A search; `vector` is the mean of its words' vectors, null where the model knows none of them."""

    query: str
    filters: dict[str, str] | None = None
    found: Int32
    vector: Vector | None = None


class SearchExecutor(Executor[Search, SearchRow]):
    """A search with its vector. A search for nothing is dropped."""

    account = Enrichment(User, key="user", missing="null", hints=Hint.CACHEABLE)

    def open(self, artifacts: Mapping[str, str | bytes]) -> None:
        """Load the vectors of words."""
        self.words: dict[str, list[float]] = json.loads(Path(str(artifacts["words"])).read_bytes())

    def accepts(self, event: Search) -> bool:
        """Return whether anything was searched for."""
        return bool(event.query.strip())

    def process(self, event: Search, account: User | None) -> SearchRow:
        """Return one row for a search."""
        query = " ".join(event.query.lower().split())
        return SearchRow(
            event_id=event.id,
            event_time=event.at,
            entity=event.user,
            country=account.country if account else None,
            query=query,
            filters=event.filters,
            found=event.found,
            vector=self.mean_vector(query.split(" ")),
        )

    def mean_vector(self, words: list[str]) -> Vector | None:
        """Return the mean of the vectors of those words that the model knows."""
        known = [self.words[word] for word in words if word in self.words]
        if not known:
            return None
        return tuple(sum(vector[place] for vector in known) / len(known) for place in range(VECTOR_LENGTH))
