"""Sales with facts of two shops, as samples."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import field

from trivium import Enrichment, Event, Executor, ExecutorOptions, NormalizedEvent, Precision, Row


class Shop(Row):
    name: str
    fee: Annotated[Decimal, Precision(6, 2)]
    opened: datetime | None = field(default=None, name="openedAt")


class City(Row):
    name: str


class Sale(Event, tag="sale"):
    id: str
    at: datetime
    shop: int
    other: int | None = field(default=None, name="otherShop")


class SaleRow(NormalizedEvent):
    shop_name: str
    city: str | None = None
    fee: Annotated[Decimal, Precision(6, 2)]
    opened: datetime | None = None


class SaleExecutor(Executor[Sale, SaleRow]):
    class Options(ExecutorOptions):
        prefix: str = ""

    own = Enrichment(Shop, key="shop", lookup="shops", missing="reject")
    second = Enrichment(City, key="other", lookup="shops", missing="null")

    def process(self, event: Sale, own: Shop, second: City | None) -> list[SaleRow]:
        city = second.name if second else None
        name = self.options.prefix + own.name
        row = SaleRow(event_id=event.id, event_time=event.at, shop_name=name, city=city, fee=own.fee, opened=own.opened)
        return [row]


SHOP = {"name": "north", "fee": "1.50", "openedAt": "2020-01-01T00:00:00Z"}

ROW = {
    "event_id": "1",
    "event_time": "2026-01-01T09:30:00Z",
    "shop_name": "north",
    "city": None,
    "fee": "1.50",
    "opened": "2020-01-01T00:00:00Z",
}


def sale(shop: int = 1, **more: Any) -> dict[str, Any]:
    return {"event_type": "sale", "id": "1", "at": "2026-01-01T09:30:00Z", "shop": shop, **more}
