"""Records that no service of the shop should have written, as every log holds some."""

import json
from datetime import date

from generator.log import BROKEN, UNKNOWN, Log


def write_noise(log: Log, day: date) -> None:
    """Write a day's records that are broken, of an unknown type, or wrong in one field."""
    at = f"{day}T12:00:00Z"
    log.write_line(BROKEN, day, b'{"event_type": "search", "id": "torn-of', "rejected")
    log.write_line(BROKEN, day, b"\xff\xfe", "rejected")
    log.write_line(BROKEN, day, json.dumps({"id": "nameless", "at": at, "user": "user-1"}).encode(), "rejected")
    log.write_line(UNKNOWN, day, json.dumps({"event_type": "wish", "id": "w", "user": "user-1"}).encode(), "dropped")
    cart = {"event_type": "add_to_cart", "id": f"bad-{day}", "at": at, "user": "user-1", "product": "p-1"}
    for wrong in (
        {"at": f"{day}T12:00:00"},
        {"quantity": 0},
        {"quantity": 1.0},
        {"product": None},
        {"at": "1999-01-01T00:00:00Z"},
    ):
        log.write_line("add_to_cart", day, json.dumps(cart | wrong).encode(), "rejected")
