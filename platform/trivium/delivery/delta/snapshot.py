"""One version of a table, read once: what every precondition is checked against."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pad
from deltalake import DeltaTable, Schema
from deltalake.exceptions import TableNotFoundError

from trivium.delivery.columns import completed
from trivium.delivery.delta.entry import LogEntry
from trivium.delivery.delta.features import TableHead, check_times
from trivium.delivery.delta.handle import mended, open_delta, store_errors
from trivium.delivery.delta.state.active_files import ActiveFile
from trivium.delivery.delta.state.log_state import LogState
from trivium.delivery.delta.state.newest import follow, newest

__all__ = ["PIPELINE_PROPERTY", "STATISTICS_PROPERTY", "ActiveFile", "Snapshot"]

PIPELINE_PROPERTY: Final = "trivium.pipeline"
STATISTICS_PROPERTY: Final = "delta.dataSkippingStatsColumns"


class Snapshot:
    """A table at one version, as deltalake has it."""

    def __init__(self, table: DeltaTable) -> None:
        self._table = table

    @staticmethod
    def latest(uri: str) -> Snapshot:
        """Return the newest version. What it costs depends on what came since this process looked last.

        Raises:
            deltalake.exceptions.TableNotFoundError: there is no table.
            StorageError, LogBroken: the storage refused, or the log cannot be read.
            UnsupportedFeature: readers of the table would have to know what we do not.
        """
        return _Newest(uri, *newest(uri))

    @staticmethod
    def find(uri: str) -> Snapshot | None:
        """Return the newest version, or None when there is no table."""
        try:
            return Snapshot.latest(uri)
        except TableNotFoundError:
            return None

    @staticmethod
    def at(uri: str, version: int | datetime | None) -> Snapshot:
        """Return a version by number, the one that was current at a time, or the newest (None).

        Raises:
            UnsupportedFeature: a time is given, and the table keeps the times of its versions in another way.
        """
        if version is None:
            return Snapshot.latest(uri)
        table = open_delta(uri)
        if isinstance(version, datetime):
            check_times(table)
        mended(uri, lambda: table.load_as_version(version))
        return Snapshot(table)

    @property
    def table(self) -> DeltaTable:
        """The table at this version; opening one takes the longer the more files it has."""
        return self._table

    @property
    def head(self) -> TableHead:
        """The table's columns, properties and protocol."""
        return self._table

    @property
    def version(self) -> int:
        """The version's number, from 0."""
        return int(self._table.version())

    @property
    def schema(self) -> Schema:
        """The table's Delta schema."""
        return self.head.schema()

    @property
    def partition_columns(self) -> list[str]:
        """Names of the partition columns, in their order."""
        return list(self.head.metadata().partition_columns)

    @property
    def pipeline(self) -> str | None:
        """The pipeline the table belongs to."""
        return self.configuration.get(PIPELINE_PROPERTY)

    @property
    def configuration(self) -> dict[str, str]:
        """The table's properties."""
        return dict(self.head.metadata().configuration)

    def transaction(self, name: str) -> int | None:
        """Return the value of a transaction, by its exact name."""
        with store_errors(self.table.table_uri):
            value = self.table.transaction_version(name)
        return None if value is None else int(value)

    @cached_property
    def active(self) -> Mapping[str, ActiveFile]:
        """The files of this version, by path."""
        columns = self.partition_columns
        wanted = self.described().select(["path", "size_bytes", *(f"partition.{name}" for name in columns)])
        rows = zip(*(column.to_pylist() for column in wanted.columns), strict=True)
        return {path: ActiveFile(path, size, _values(columns, values)) for path, size, *values in rows}

    def described(self) -> pa.Table:
        """Return what the log says of each active file, statistics included, with `path` as the storage has it."""
        actions = pa.table(self.table.get_add_actions(flatten=True))
        names = actions["path"].to_pylist()
        if any("%" in name for name in names):
            paths = pa.array(map(unquote, names), pa.string())
            actions = actions.set_column(actions.column_names.index("path"), "path", paths)
        return actions

    def rows_of(self, paths: Collection[str], schema: pa.Schema) -> pa.Table:
        """Return the rows of some active files, with the columns and types of `schema`.

        Nullable columns that the table does not have, since no run of this release has opened it, are null.
        """
        if not paths:
            return schema.empty_table()
        dataset = self._dataset(paths)
        return completed(
            dataset.to_table(columns=[name for name in schema.names if name in dataset.schema.names]), schema
        )

    def rows_in(self, paths: Collection[str]) -> int:
        """Return how many rows some active files have, as the log tells; a file is opened only if it does not."""
        if not paths:
            return 0
        actions = self.described().select(["path", "num_records"])
        known = actions.filter(pc.is_in(actions["path"], pa.array(sorted(paths), pa.string())))
        silent = known.filter(pc.is_null(known["num_records"]))["path"].to_pylist()
        unknown: int = self._dataset(silent).count_rows() if silent else 0
        return unknown + int(pc.sum(known["num_records"]).as_py() or 0)

    def _dataset(self, paths: Collection[str]) -> pad.FileSystemDataset:
        wanted, dataset = set(paths), self.table.to_pyarrow_dataset()
        fragments = [fragment for fragment in dataset.get_fragments() if fragment.path in wanted]
        return pad.FileSystemDataset(fragments, dataset.schema, dataset.format, fragments[0].filesystem)

    def event_days(self) -> list[str]:
        """Return the event dates that have files, sorted."""
        days = {file.partition_values.get("event_date") for file in self.active.values()}
        return sorted(day for day in days if day is not None)

    def follow(self, entry: LogEntry) -> None:
        """Take in the entry that this process put right after this version: it is not read again."""


class _Newest(Snapshot):
    """A version as its log tells it, kept by this process; the table is opened only for who needs its rows."""

    def __init__(self, uri: str, state: LogState, table: DeltaTable | None) -> None:
        self._uri, self._state, self._opened = uri, state, table

    @property
    def version(self) -> int:
        return self._state.version

    @property
    def table(self) -> DeltaTable:
        if self._opened is None or self._opened.version() != self.version:  # a commit through a table moves it on
            self._opened = open_delta(self._uri)
            if self._opened.version() != self.version:
                self._opened.load_as_version(self.version)
        return self._opened

    @property
    def head(self) -> TableHead:
        return self._state.head

    def transaction(self, name: str) -> int | None:
        return self._state.transactions.get(name)

    @property
    def active(self) -> Mapping[str, ActiveFile]:
        return self._state.active

    def follow(self, entry: LogEntry) -> None:
        follow(self._uri, self._state, entry)


def _values(columns: list[str], values: list[Any]) -> dict[str, str | None]:
    return {name: _text(value) for name, value in zip(columns, values, strict=True)}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)
