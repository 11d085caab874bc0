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


class HeldTypes:
    """The event types that the active files of a snapshot hold: as their statistics prove, else read from the file."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._storage = Storage(snapshot.head.table_uri)
        actions = snapshot.described()
        names = ["path", f"min.{EVENT_TYPE}", f"max.{EVENT_TYPE}"]
        known = set(names) <= set(actions.column_names)
        bounds = zip(*(actions[name].to_pylist() for name in names), strict=True) if known else ()
        self._bounds = {path: (low, high) for path, low, high in bounds if _exact(low) and _exact(high)}

    def single(self) -> dict[str, str]:
        """Return the event type of each file whose statistics prove that it holds one type, by path."""
        return {path: low for path, (low, high) in self._bounds.items() if low == high}

    def among(self, path: str, wanted: frozenset[str]) -> frozenset[str]:
        """Return the event types of a file if it holds one of `wanted`; the empty set if it does not.

        Raises:
            FileMismatch: the file has to be read and cannot be.
        """
        if (bounds := self._bounds.get(path)) is not None:
            low, high = bounds
            if low == high:
                return frozenset({low}) & wanted
            if not any(low <= name <= high for name in wanted):
                return frozenset()
        held = types_in(self._storage, path)
        return frozenset() if held.isdisjoint(wanted) else held


def _exact(bound: Any) -> bool:
    return isinstance(bound, str) and len(bound) < _EXACT


def type_in(statistics: str) -> str | None:
    """Return the one event type that Delta's statistics of a file prove it holds, or None where they cannot tell."""
    found: dict[str, Any] = json.loads(statistics) if statistics else {}
    low, high = (found.get(bound, {}).get(EVENT_TYPE) for bound in ("minValues", "maxValues"))
    return low if _exact(low) and low == high else None


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
