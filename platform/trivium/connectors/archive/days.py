"""Source days in the names of folders."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from trivium.connectors.archive.hive_folders import folder_texts

_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[-T_ ]\d{2}([:-]?\d{2}){0,2})?", re.ASCII)


def folder_day(uri: str, path: str, day_column: str | None) -> str | None:
    """Return the source day that a folder `day_column=YYYY-MM-DD` names for a file, or None."""
    return None if day_column is None else day_text(folder_texts(uri, path).get(day_column))


def day_text(value: Any) -> str | None:
    """Return the ISO date that a date, a time or a text names (an hour may follow), or None."""
    if value is None:
        return None
    found = _DAY.fullmatch(value.isoformat()[:10] if hasattr(value, "isoformat") else str(value))
    if found is None:
        return None
    try:
        return date.fromisoformat(found.group(1)).isoformat()
    except ValueError:
        return None
