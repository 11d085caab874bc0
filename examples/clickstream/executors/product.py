"""Products by their number, from the shop's catalogue."""

from decimal import Decimal
from typing import Annotated

from executors.shop_event import Vector
from trivium import Precision, Row

Price = Annotated[Decimal, Precision(10, 2)]
Amount = Annotated[Decimal, Precision(14, 2)]


class Product(Row):
    """An article: its name, category and price in euros, and the vector that places it beside similar ones."""

    name: str
    category: str
    price: Price
    vector: Vector
