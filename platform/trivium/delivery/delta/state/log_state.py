"""The state of a table at one version: its columns and properties, its files, its transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from deltalake import DeltaTable, Metadata, Schema
from deltalake.table import ProtocolVersions

from trivium.delivery.delta.entry import LogEntry
from trivium.delivery.delta.state.active_files import ActiveFile, ActiveFiles, active_file


class KeptHead:
    """The schema, the metadata and the protocol of a table: a DeltaTable without its files."""

    def __init__(self, table: DeltaTable) -> None:
        self.table_uri: str = table.table_uri
        self._schema, self._metadata, self._protocol = table.schema(), table.metadata(), table.protocol()

    def schema(self) -> Schema:
        """Return the columns."""
        return self._schema

    def metadata(self) -> Metadata:
        """Return the metadata: properties, partition columns."""
        return self._metadata

    def protocol(self) -> ProtocolVersions:
        """Return the versions and features that readers and writers have to know."""
        return self._protocol


@dataclass(frozen=True)
class LogState:
    """One version of a table; never changed."""

    version: int
    head: KeptHead
    active: ActiveFiles
    transactions: Mapping[str, int]

    def followed_by(self, entries: Iterable[LogEntry]) -> LogState:
        """Return the state after the entries that follow, in their order, with the head as it is."""
        columns, version = tuple(self.head.metadata().partition_columns), self.version
        added: dict[str, ActiveFile] = {}
        removed: set[str] = set()
        transactions = dict(self.transactions)
        for entry in entries:
            version += 1
            for gone in map(unquote, (each.path for each in entry.removed)):
                added.pop(gone, None)
                removed.add(gone)
            for file in (active_file(each, columns) for each in entry.added):
                added[file.path] = file
            transactions.update((each.app_id, each.version) for each in entry.transactions)
        return LogState(version, self.head, self.active.changed(added.values(), removed), transactions)
