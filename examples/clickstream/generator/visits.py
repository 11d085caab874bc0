"""Visits to the shop: what one user does from the first page to an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from generator.catalogue import ZONES, Product, User, mean_vector
from generator.log import Log, Outcome


@dataclass
class Visit:
    """One user's visit, which `clock` follows."""

    log: Log
    random: Random
    user: User
    clock: datetime

    def browse(self, products: Sequence[Product]) -> list[Product]:
        """Write views and searches; return what was looked at."""
        for _ in range(self.random.randrange(1, 5)):
            self._view_page()
        if self.chance(0.6):
            self._search(self.random.choice(products))
        looked_at = self.random.sample(products, self.random.randrange(1, 4))
        for rank, product in enumerate(looked_at, 1):
            fields = {"product": product.number, "rank": rank if self.chance(0.7) else None}
            self.write("product_view", fields, dropped=not self.user.known)
        return looked_at

    def fill_cart(self, looked_at: Sequence[Product]) -> list[tuple[Product, int]]:
        """Write additions to a cart and removals; return what stays in it."""
        cart = []
        for product in looked_at:
            quantity = self.random.choice((1, 1, 1, 2, 3))
            fields = {"product": product.number} | ({"quantity": quantity} if quantity > 1 else {})
            self.write("add_to_cart", fields, rejected=not product.known)
            if self.chance(0.25):
                reason = self.random.choice(("changed_mind", "sold_out", None))
                self.write("remove_from_cart", {"product": product.number, "reason": reason}, dropped=not product.known)
            else:
                cart.append((product, quantity))
        return cart

    def order(self, cart: Sequence[tuple[Product, int]]) -> tuple[str, Decimal]:
        """Write an order of a cart; return its id and total. Three of a hundred state a wrong one."""
        total = sum((product.price * quantity for product, quantity in cart), Decimal(0))
        wrong = self.chance(0.03)
        fields = {
            "lines": [
                {"product": product.number, "quantity": quantity, "price": str(product.price)}
                for product, quantity in cart
            ],
            "total": str(total + wrong),
            "ship_to": {"city": "Springfield", "country": self.user.country, "postcode": None},
            "coupon": "WELCOME" if self.chance(0.1) else None,
            "wanted_on": str((self.clock + timedelta(days=3)).date()) if self.chance(0.3) else None,
        }
        return self.write("order", fields, rejected=wrong, rows=len(cart)), total

    def chance(self, share: float) -> bool:
        """Return True in that share of all cases."""
        return self.random.random() < share

    def write(
        self, kind: str, fields: dict[str, Any], *, dropped: bool = False, rejected: bool = False, rows: int = 1
    ) -> str:
        """Write an event some seconds later, at the time of the user's zone; return its id."""
        self.clock += timedelta(seconds=self.random.uniform(1, 90))
        outcome: Outcome = "dropped" if dropped else "rejected" if rejected else "emitted"
        at = self.clock.astimezone(ZONES[self.user.country]) if self.chance(0.5) else self.clock
        return self.log.write(kind, at, {"user": self.user.name} | fields, outcome, rows)

    def _view_page(self) -> None:
        robot = self.chance(0.1)
        fields = {
            "url": self.random.choice(("/", "/sale?page=2", "/clothes#top", "/küche", "/help?q=a#b")),
            "device": self.random.choice(("phone", "tablet", "desktop")),
            "milliseconds": self.random.randrange(60_000) if self.chance(0.8) else None,
            "interests": mean_vector(["red", "coat"]) if self.chance(0.3) else None,
            "loaded": {"scripts": 12, "from": "cache"},
        } | ({"robot": True} if robot else {})
        self.write("page_view", fields, dropped=robot)

    def _search(self, product: Product) -> None:
        blank = self.chance(0.05)
        fields = {
            "query": "  " if blank else self.random.choice((product.name.upper(), f"{product.name} cheap", "gift")),
            "filters": {"category": product.category, "sort": "price"} if self.chance(0.4) else None,
            "found": self.random.randrange(40),
        }
        self.write("search", fields, dropped=blank)
