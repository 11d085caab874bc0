"""A table of visits in a SQLite file, to which rows are added day by day."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path


def add_visits(database: Path, day: str, ids: Sequence[str]) -> None:
    """Add a visit of the shop 1 for each id."""
    add_bodies(database, day, [body(each, day) for each in ids])


def body(visit: str, day: str) -> bytes:
    """Return a visit as JSON."""
    return json.dumps({"event_type": "visit", "id": visit, "at": f"{day}T08:00:00Z", "shop": 1}).encode()


def add_bodies(database: Path, day: str, bodies: Sequence[bytes | None]) -> None:
    """Add rows with these documents."""
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("CREATE TABLE IF NOT EXISTS visits (day TEXT, added TEXT, body BLOB)")
        opened.executemany(
            "INSERT INTO visits VALUES (?, ?, ?)", [(day, f"{day}T23:00:00+00:00", each) for each in bodies]
        )
