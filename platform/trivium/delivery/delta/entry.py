"""An entry of the table's log as this floor reads it: damage, its mark of durability, and files of other writers.

After a power cut an entry may be empty, which Delta reads as a valid version, or cut off, which reads as an error or,
cut between two lines, as a smaller commit. Trivium's own commits say how many actions they hold, so that the last kind
is found too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from trivium.delivery.storage.storage import Storage

LOG: Final = "_delta_log"
ACTION_COUNTS: Final = "trivium_actions"
"""Key of the commit's metadata that says how many actions of each kind its entry holds."""
DURABLE_UP_TO: Final = "trivium_durable_up_to"
"""Key of the commit's metadata that names the version up to which the log was durable before the entry was written."""
_NAME: Final = re.compile(r"(\d{20})\.json")


@dataclass(frozen=True)
class LogEntry:
    """The content of a log entry.

    `damage` is None for a whole one. `durable_up_to` is its mark, if it has one. `foreign_files` are the files that it
    adds if another engine wrote it: nobody knows whether those were synced.
    """

    damage: str | None = None
    durable_up_to: int | None = None
    foreign_files: tuple[str, ...] = ()


def entry_path(version: int) -> str:
    """Return the path of a version's log entry, relative to the table."""
    return f"{LOG}/{version:020}.json"


def versions_among(names: Iterable[str]) -> list[int]:
    """Return the versions whose entries are among the names of the log's files, sorted."""
    return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)


def read_entry(storage: Storage, version: int) -> LogEntry | None:
    """Return an entry's content, or None when there is none."""
    content = storage.find(entry_path(version))
    return None if content is None else parse_entry(content)


def parse_entry(content: bytes) -> LogEntry:
    """Return the content of an entry, of its bytes."""
    if not content.strip():
        return LogEntry("empty")
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return LogEntry("cut off within a line")
    if not all(isinstance(action, dict) for action in actions):
        return LogEntry("no list of actions")
    info: dict[str, Any] = next((one["commitInfo"] for one in actions if isinstance(one.get("commitInfo"), dict)), {})
    expected, mark = info.get(ACTION_COUNTS), str(info.get(DURABLE_UP_TO, ""))
    if expected is None:
        return LogEntry(foreign_files=_relative(one["add"].get("path", "") for one in actions if "add" in one))
    if not _holds(actions, expected):
        return LogEntry(f"cut off between lines (expected {expected})")
    return LogEntry(durable_up_to=int(mark) if mark.isdecimal() else None)


def _holds(actions: list[dict[str, Any]], expected: Any) -> bool:
    """Compare what is there with what the commit says; earlier commits did not count every kind."""
    try:
        expected_counts = dict(json.loads(expected))
    except (ValueError, TypeError):
        return False
    return all(sum(kind in action for action in actions) == number for kind, number in expected_counts.items())


def _relative(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths below the table as names of files: Delta percent-encodes them; those outside are absolute."""
    names = map(unquote, paths)
    return tuple(name for name in names if name and "://" not in name and not name.startswith("/") and ".." not in name)
