"""A Delta table whose log is in memory: what `Snapshot` and the committer use of deltalake, and nothing else.

Files are real, only versions are not: each is the active files, the transactions and the commit's own facts. Entries
are files, too, but nobody reads a table from them: they are there to be synced, and to be torn by a cut. As in
deltalake with its retries off, a commit lands only on the version its handle has read, removing a path that is not
active passes silently, and transactions are looked up by their exact name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pad
from deltalake import CommitProperties, Schema
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from trivium.delivery.delta.entry import entry_path
from trivium.delivery.delta.entry_write import NewEntry
from trivium.delivery.delta.snapshot import PIPELINE_PROPERTY
from trivium.delivery.delta.state.active_files import ActiveFile, ActiveFiles
from trivium.delivery.delta.state.log_state import LogState
from trivium.delivery.errors import AlreadyThere
from trivium.delivery.table import TableSpec

_STATISTICS = (
    ("min", "minValues", pa.string()),
    ("max", "maxValues", pa.string()),
    ("null_count", "nullCount", pa.int64()),
)


@dataclass(frozen=True)
class Version:
    """One entry of the log, and what it leaves: `added` and `removed` are of the entry, the rest of the table."""

    active: Mapping[str, AddAction] = field(default_factory=dict)
    transactions: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    added: tuple[AddAction, ...] = ()
    removed: tuple[str, ...] = ()


class MemoryLog:
    """A table's versions, in order."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec
        self.versions = [Version()]
        plain = (f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in spec.schema)
        self.schema = pa.schema(list(plain))
        self.delta_schema = Schema.from_arrow(self.schema)
        self.files = SubTreeFileSystem(spec.uri, LocalFileSystem())
        Path(spec.uri, "_delta_log").mkdir(parents=True)
        self._write_entry([{"protocol": {}}, {"metaData": {}}])

    def commit(
        self, read: int, actions: Sequence[AddAction | RemoveAction], transactions: dict[str, int], metadata: dict
    ) -> None:
        """Put the entry after `read`.

        Raises:
            AlreadyThere: there is one already.
        """
        if read != len(self.versions) - 1:
            message = f"version {read + 1} exists"
            raise AlreadyThere(message)
        last = self.versions[-1]
        added = tuple(one for one in actions if isinstance(one, AddAction))
        removed = tuple(one.path for one in actions if isinstance(one, RemoveAction))
        active = {path: one for path, one in last.active.items() if path not in removed}
        active |= {one.path: one for one in added}
        self.versions.append(Version(active, {**last.transactions, **transactions}, metadata, added, removed))
        lines = [{"commitInfo": metadata}, *({"txn": {"appId": name}} for name in transactions)]
        lines += [*({"add": {"path": one.path}} for one in added), *({"remove": {"path": path}} for path in removed)]
        self._write_entry(lines)

    def write(self, read: int, entry: NewEntry) -> None:
        """Put an entry of the product's after `read`."""
        added = [
            AddAction(unquote(one.path), one.size, one.partition_values, 0, one.data_change, one.stats or "")
            for one in entry.added
        ]
        removed = [
            RemoveAction(unquote(one.path), True, 0, one.size, dict(one.partition_values)) for one in entry.removed
        ]
        moved = {one.app_id: one.version for one in entry.transactions}
        self.commit(read, [*added, *removed], moved, dict(entry.metadata))

    def cut_to(self, version: int) -> None:
        """Forget the versions after this one."""
        del self.versions[version + 1 :]

    def entry(self, version: int) -> Path:
        """The file of a version's entry."""
        return Path(self.spec.uri, entry_path(version))

    def _write_entry(self, lines: list[dict[str, Any]]) -> None:
        self.entry(len(self.versions) - 1).write_text("\n".join(map(json.dumps, lines)))


class MemoryTable:
    """A handle that has read one version, as `DeltaTable(uri)` is."""

    def __init__(self, log: MemoryLog) -> None:
        self._log, self._read = log, len(log.versions) - 1

    @property
    def _version(self) -> Version:
        return self._log.versions[self._read]

    @property
    def table_uri(self) -> str:
        return self._log.spec.uri

    def version(self) -> int:
        return self._read

    def state(self) -> LogState:
        columns = self._log.spec.partition_columns
        files = {path: ActiveFile(path, one.size, one.partition_values) for path, one in self._version.active.items()}
        active = ActiveFiles.none(columns).changed(files.values(), ())
        return LogState(self._read, self, active, self._version.transactions)

    def load_as_version(self, version: int) -> None:
        self._read = version

    def schema(self) -> Schema:
        return self._log.delta_schema

    def metadata(self) -> SimpleNamespace:
        spec = self._log.spec
        return SimpleNamespace(
            partition_columns=list(spec.partition_columns), configuration={PIPELINE_PROPERTY: spec.pipeline}
        )

    def protocol(self) -> SimpleNamespace:
        return SimpleNamespace(reader_features=None, writer_features=None, min_reader_version=1, min_writer_version=2)

    def transaction_version(self, name: str) -> int | None:
        return self._version.transactions.get(name)

    def get_add_actions(self, flatten: bool) -> pa.Table:
        assert flatten
        files = list(self._version.active.values())
        columns = {"path": [one.path for one in files], "size_bytes": [one.size for one in files]}
        said = [json.loads(one.stats or "{}") for one in files]
        columns["num_records"] = pa.array([each.get("numRecords") for each in said], pa.int64())
        for short, part, kind in _STATISTICS:
            found = [each.get(part, {}).get("_event_type") for each in said]
            columns[f"{short}._event_type"] = pa.array(found, kind)
        for name in self._log.spec.partition_columns:
            columns[f"partition.{name}"] = [one.partition_values[name] for one in files]
        return pa.table(columns)

    def to_pyarrow_dataset(self) -> pad.FileSystemDataset:
        layout = pad.ParquetFileFormat()
        fragments = [
            layout.make_fragment(one.path, filesystem=self._log.files, partition_expression=self._partition(one))
            for one in self._version.active.values()
        ]
        return pad.FileSystemDataset(fragments, self._log.schema, layout, self._log.files)

    def create_write_transaction(
        self, actions: Sequence[AddAction | RemoveAction], *, commit_properties: CommitProperties, **_: Any
    ) -> None:
        assert commit_properties.max_commit_retries == 0
        moved = {one.app_id: one.version for one in commit_properties.app_transactions or ()}
        self._log.commit(self._read, actions, moved, dict(commit_properties.custom_metadata or {}))

    def _partition(self, file: AddAction) -> pc.Expression:
        parts = [self._equals(name, value) for name, value in file.partition_values.items()]
        whole = parts[0]
        for part in parts[1:]:
            whole &= part
        return whole

    def _equals(self, name: str, value: str | None) -> pc.Expression:
        if value is None:
            return pc.field(name).is_null()
        return pc.field(name) == pa.scalar(value, pa.string()).cast(self._log.schema.field(name).type)
