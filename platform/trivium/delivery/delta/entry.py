"""An entry of the table's log as this floor reads and writes it: actions, damage, and the mark of durability.

After a power cut an entry may be empty, which Delta reads as a valid version, or cut off, which reads as an error or,
cut between two lines, as a smaller commit. Trivium's own commits say how many actions they hold, so that the last kind
is found too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from trivium.delivery.storage.storage import Storage

LOG: Final = "_delta_log"
ACTION_COUNTS: Final = "trivium_actions"
"""Key of the commit's metadata that says how many actions of each kind its entry holds."""
DURABLE_UP_TO: Final = "trivium_durable_up_to"
"""Key of the commit's metadata that names the version up to which the log was durable before the entry was written."""
_NAME: Final = re.compile(r"(\d{20})\.json")
_AS_IT_IS: Final = "/~()+&,;@$!':=-._"
"""Characters of a path that deltalake writes into its entries without encoding them, beside letters and digits."""


class AddedFile(msgspec.Struct, frozen=True, rename="camel"):
    """Delta's action `add`. `path` is percent-encoded; times are milliseconds since 1970 UTC."""

    path: str
    partition_values: Mapping[str, str | None]
    size: int
    modification_time: int = 0
    data_change: bool = True
    stats: str | None = None


class RemovedFile(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Delta's action `remove`, with what it says of the file if `extended_file_metadata`."""

    path: str
    data_change: bool | None = None
    deletion_timestamp: int | None = None
    extended_file_metadata: bool | None = None
    partition_values: Mapping[str, str | None] | None = None
    size: int | None = None


class Transaction(msgspec.Struct, frozen=True, rename="camel"):
    """Delta's action `txn`: a name and its value."""

    app_id: str
    version: int


class _Info(msgspec.Struct, frozen=True, rename={"counts": ACTION_COUNTS, "durable_up_to": DURABLE_UP_TO}):
    counts: Any = None
    durable_up_to: Any = None


class _Action(msgspec.Struct, frozen=True, rename={"metadata": "metaData", "info": "commitInfo"}):
    """One line of an entry; a kind that is not named here says nothing of files, transactions or columns."""

    add: AddedFile | None = None
    remove: RemovedFile | None = None
    txn: Transaction | None = None
    metadata: Any = None
    protocol: Any = None
    info: _Info | None = None


_KINDS: Final = {"add": "add", "remove": "remove", "txn": "txn", "metaData": "metadata", "protocol": "protocol"}
_DECODER: Final = msgspec.json.Decoder(_Action)
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True)
class LogEntry:
    """The content of a log entry.

    `damage` is None for a whole one. `durable_up_to` is its mark, if it has one. `foreign_files` are the files that it
    adds if another engine wrote it: nobody knows whether those were synced. `changes_table` says that it holds new
    columns, properties or features. `unknown` says why the actions of a whole entry are not those of Delta's protocol.
    """

    damage: str | None = None
    durable_up_to: int | None = None
    foreign_files: tuple[str, ...] = ()
    added: tuple[AddedFile, ...] = ()
    removed: tuple[RemovedFile, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    changes_table: bool = False
    unknown: str | None = None


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
        actions = [_DECODER.decode(line) for line in content.splitlines() if line.strip()]
    except msgspec.ValidationError as error:
        return _unknown(content, str(error))
    except msgspec.DecodeError:
        return LogEntry("cut off within a line")
    info = next((one.info for one in actions if one.info is not None), _Info())
    added = tuple(one.add for one in actions if one.add is not None)
    if info.counts is not None and not _holds(actions, info.counts):
        return LogEntry(f"cut off between lines (expected {info.counts})")
    mark = str(info.durable_up_to)
    return LogEntry(
        durable_up_to=int(mark) if info.counts is not None and mark.isdecimal() else None,
        foreign_files=() if info.counts is not None else _relative(one.path for one in added),
        added=added,
        removed=tuple(one.remove for one in actions if one.remove is not None),
        transactions=tuple(one.txn for one in actions if one.txn is not None),
        changes_table=any(one.metadata is not None or one.protocol is not None for one in actions),
    )


def _unknown(content: bytes, why: str) -> LogEntry:
    """Return an entry of actions in another form; it is damaged only if it is no list of objects."""
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return LogEntry("cut off within a line")
    if not all(isinstance(action, dict) for action in actions):
        return LogEntry("no list of actions")
    added = (action["add"] for action in actions if isinstance(action.get("add"), dict))
    return LogEntry(foreign_files=_relative(str(each.get("path", "")) for each in added), unknown=why)


def entry_text(
    info: Mapping[str, Any],
    added: Sequence[AddedFile],
    removed: Sequence[RemovedFile],
    transactions: Sequence[Transaction],
) -> bytes:
    """Return the bytes of an entry: what is said of the commit first, then its actions, each on a line."""
    lines: list[dict[str, Any]] = [{"commitInfo": info}]
    lines += [{"add": each} for each in added]
    lines += [{"remove": each} for each in removed]
    lines += [{"txn": each} for each in transactions]
    return _ENCODER.encode_lines(lines)


def logged_path(path: str) -> str:
    """Return a file's path as entries name it; encoded as deltalake does, which compares these texts."""
    return quote(path, safe=_AS_IT_IS)


def _holds(actions: Sequence[_Action], expected: Any) -> bool:
    """Compare what is there with what the commit says; earlier commits did not count every kind."""
    try:
        counts = dict(msgspec.json.decode(expected))
    except (msgspec.DecodeError, ValueError, TypeError):
        return False
    found = {kind: sum(getattr(one, name) is not None for one in actions) for kind, name in _KINDS.items()}
    return all(found.get(kind, 0) == number for kind, number in counts.items())


def _relative(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths below the table as names of files: Delta percent-encodes them; those outside are absolute."""
    names = map(unquote, paths)
    return tuple(name for name in names if name and "://" not in name and not name.startswith("/") and ".." not in name)
