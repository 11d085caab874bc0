"""Records that follow an order: its payment, parcels, deliveries, reviews, refunds and tickets."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from generator.catalogue import CURRENCIES, Product, mean_vector
from generator.visits import Visit


def follow(visit: Visit, order: str, total: Decimal, cart: Sequence[tuple[Product, int]]) -> None:
    """Write all that follows an order, over some days."""
    _pay(visit, order, total)
    visit.clock += timedelta(hours=visit.random.randrange(2, 30))
    tracking = _ship(visit, order)
    visit.clock += timedelta(hours=visit.random.randrange(10, 40))
    _deliver(visit, tracking)
    if visit.chance(0.4):
        _review(visit, visit.random.choice(cart)[0])
    if visit.chance(0.25):
        _refund(visit, order, total, cart)
    if visit.chance(0.25):
        _ask(visit, order)


def _pay(visit: Visit, order: str, total: Decimal) -> None:
    declined, unknown = visit.chance(0.05), visit.chance(0.03)
    fields = {
        "order": order,
        "method": visit.random.choice(("card", "transfer", "wallet")),
        "amount": str(total),
        "currency": "XXX" if unknown else CURRENCIES[visit.user.country],
        "answered_after": visit.random.choice(("PT0.8S", "PT1M", None)),
    } | ({"accepted": False} if declined else {})
    visit.write("payment", fields, dropped=declined, rejected=unknown)


def _ship(visit: Visit, order: str) -> str:
    tracking, nothing = f"track-{order}", visit.chance(0.04)
    sides = [30.5, 20.0, 12.25] if visit.chance(0.5) else None
    fields = {
        "order": order,
        "carrier": visit.random.choice(("swift", "snail")),
        "parcels": []
        if nothing
        else [{"tracking": tracking, "grams": visit.random.randrange(100, 9_000), "sides": sides}],
        "promised": str((visit.clock + timedelta(days=2)).date()),
    }
    visit.write("shipment", fields, dropped=nothing)
    return tracking


def _deliver(visit: Visit, tracking: str) -> None:
    for attempt in (1, 2):
        in_vain, odd = attempt == 1 and visit.chance(0.2), visit.chance(0.03)
        begins, ends = ("17:00:00", "09:00:00") if odd else ("09:00:00", "17:00:00")
        fields = {
            "tracking": tracking,
            "attempt": attempt,
            "handed_over": not in_vain,
            "local_time": f"{visit.random.randrange(8, 20):02}:15:00",
            "slot": {"begins": begins, "ends": ends} if odd or visit.chance(0.6) else None,
            "left_with": "neighbour" if visit.chance(0.2) else None,
            "signature": base64.b64encode(visit.random.randbytes(12)).decode() if not in_vain else None,
        }
        visit.write("delivery", fields, dropped=in_vain, rejected=odd)
        if not in_vain:
            return
        visit.clock += timedelta(days=1)


def _review(visit: Visit, product: Product) -> None:
    vector = mean_vector(product.name.split())
    short = visit.chance(0.05)
    fields = {
        "product": product.number,
        "stars": visit.random.randrange(1, 6),
        "text": visit.random.choice(("", "good", "does what it says 👍", "zu klein, aber schön")),
        "photos": ["front.jpg", "back.jpg"] if visit.chance(0.2) else [],
        "text_vector": vector[:-1] if short else vector,
    }
    visit.write("review", fields, rejected=short)


def _refund(visit: Visit, order: str, total: Decimal, cart: Sequence[tuple[Product, int]]) -> None:
    nothing = visit.chance(0.1)
    fields = {
        "order": order,
        "amount": "0.00" if nothing else str(total),
        "products": [product.number for product, _ in cart] if visit.chance(0.5) else [],
        "reason": visit.random.choice(("returned", "damaged", "late", "goodwill")),
    }
    visit.write("refund", fields, dropped=nothing, rejected=not visit.user.known)


def _ask(visit: Visit, order: str) -> None:
    silent, zoneless = visit.chance(0.1), visit.chance(0.05)
    asked, answered = visit.clock - timedelta(hours=3), visit.clock - timedelta(hours=1)
    messages = [] if silent else [{"author": "user", "sent": asked.isoformat(), "text": "where is it?"}]
    sent = answered.replace(tzinfo=None) if zoneless else answered
    messages.append({"author": "support", "sent": sent.isoformat(), "text": "on its way"})
    fields = {
        "ticket": str(UUID(int=visit.random.getrandbits(128))),
        "topic": visit.random.choice(("delivery", "payment", "product", "other")),
        "messages": messages,
        "context": {"order": order, "pages": [1, 2.5, None]} if visit.chance(0.5) else None,
    }
    visit.write("support_ticket", fields, dropped=silent and not zoneless, rejected=zoneless)
