"""Is the newest entry of the log whole?

After a power cut it may be empty, which Delta reads as a valid version, or cut off, which reads as an error or, cut
between two lines, as a smaller commit.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from typing import Any, Final

from trivium.delivery.storage import Storage

_ENTRY: Final = re.compile(r"_delta_log/(\d{20})\.json")
ACTION_COUNTS: Final = "trivium_actions"
"""Key of the commit's metadata that says how many actions of each kind its entry holds."""

_log = logging.getLogger(__name__)


def entry_path(version: int) -> str:
    """The log entry of a version, relative to the table."""
    return f"_delta_log/{version:020}.json"


def set_aside_torn_entries(uri: str) -> list[str]:
    """Move the newest entries that are empty or torn to names readers ignore, and say so; usually there are none.

    An entry that a checkpoint covers is left alone: no reader opens it. Returns the new paths of what was moved.
    """
    storage, moved = Storage(uri), []
    while (path := _newest_entry(storage)) is not None and (damage := _damage(storage.read(path))) is not None:
        aside = f"_delta_log/torn-{secrets.token_hex(4)}.{path.rsplit('/', 1)[1].removesuffix('.json')}"
        storage.rename(path, aside)
        moved.append(aside)
        _log.warning(
            "%s: newest log entry %s is %s; moved aside to %s, that commit is gone whole", uri, path, damage, aside
        )
    return moved


def _newest_entry(storage: Storage) -> str | None:
    names = [file.path for file in storage.list("_delta_log")]
    entries = [name for name in names if _ENTRY.fullmatch(name)]
    if not entries:
        return None
    newest = max(entries)
    checkpoint = newest.removesuffix("json") + "checkpoint"
    return None if any(name.startswith(checkpoint) for name in names) else newest


def _damage(content: bytes) -> str | None:
    if not content.strip():
        return "empty"
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return "cut off within a line"
    expected = next((one["commitInfo"].get(ACTION_COUNTS) for one in actions if "commitInfo" in one), None)
    if expected is not None and json.loads(expected) != count_actions(actions):
        return f"cut off between lines (expected {expected})"
    return None


def count_actions(actions: list[dict[str, Any]]) -> dict[str, int]:
    """How many files a log entry adds and removes and how many transactions it sets."""
    return {kind: sum(kind in action for action in actions) for kind in ("add", "remove", "txn")}
