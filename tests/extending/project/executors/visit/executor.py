"""Visits with the name of the shop."""

from datetime import datetime

from trivium import Enrichment, Event, Executor, NormalizedEvent, Row


class Visit(Event, tag="visit"):
    """Somebody enters a shop."""

    id: str
    at: datetime
    shop: int


class Shop(Row):
    """A shop as the lookup knows it."""

    name: str
    city: str | None = None


class VisitRow(NormalizedEvent):
    """A visit with the shop's name and city."""

    shop_name: str | None = None
    city: str | None = None


class VisitExecutor(Executor[Visit, VisitRow]):
    """Adds name and city of the shop."""

    shop_facts = Enrichment(Shop, key="shop", lookup="shops", missing="null")

    def process(self, event: Visit, shop_facts: Shop | None) -> VisitRow:
        """Return the visit with what is known of its shop."""
        name, city = (shop_facts.name, shop_facts.city) if shop_facts else (None, None)
        return VisitRow(event_id=event.id, event_time=event.at, shop_name=name, city=city)
