"""The event types of a table's active files: from the log where it can tell, else from the files."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import FileMismatch
from trivium.delivery.files.lineage import EVENT_TYPE
from trivium.delivery.storage.storage import Storage

_EXACT: Final = 32
"""Bounds of text this long may be cut off, as Delta's protocol allows; shorter ones are the values themselves."""


def single_types(snapshot: Snapshot) -> dict[str, str]:
    """Return the event type of each active file whose statistics prove that it holds one type, by path."""
    actions = pa.table(snapshot.table.get_add_actions(flatten=True))
    names = ["path", f"min.{EVENT_TYPE}", f"max.{EVENT_TYPE}"]
    if not set(names) <= set(actions.column_names):
        return {}
    same = actions.select(names).filter(pc.equal(actions[names[1]], actions[names[2]]))
    pairs = zip(same["path"].to_pylist(), same[names[1]].to_pylist(), strict=True)
    return {path: name for path, name in pairs if isinstance(name, str) and len(name) < _EXACT}


def type_in(statistics: str) -> str | None:
    """Return the one event type that Delta's statistics of a file prove it holds, or None where they cannot tell."""
    found: dict[str, Any] = json.loads(statistics) if statistics else {}
    low, high = (found.get(bound, {}).get(EVENT_TYPE) for bound in ("minValues", "maxValues"))
    return low if isinstance(low, str) and low == high and len(low) < _EXACT else None


def types_in(storage: Storage, path: str) -> frozenset[str]:
    """Return the event types that a file holds, read from the file.

    Raises:
        FileMismatch: the file cannot be read, or has no such column.
    """
    try:
        with storage.open(path) as stream:
            column = pq.ParquetFile(stream).read([EVENT_TYPE]).column(EVENT_TYPE)
    except (pa.ArrowException, OSError, KeyError) as error:
        message = (
            f"data file {path} of {storage.uri}: expected a column {EVENT_TYPE}, got: {error}; nothing was committed"
        )
        raise FileMismatch(f"{message}. Try: see who wrote it") from error
    return frozenset(pc.unique(column).to_pylist())
