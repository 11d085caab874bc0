"""One version of a table, read once: what every precondition is checked against."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as pad
from deltalake import DeltaTable, Schema

from trivium.delivery.delta.features import check_times
from trivium.delivery.delta.handle import find_delta, mended, open_delta, store_errors

PIPELINE_PROPERTY: Final = "trivium.pipeline"
STATISTICS_PROPERTY: Final = "delta.dataSkippingStatsColumns"


@dataclass(frozen=True)
class ActiveFile:
    """A file the snapshot's readers see. `partition_values` are Delta's strings."""

    path: str
    size: int
    partition_values: Mapping[str, str | None]


class Snapshot:
    """A table at one version."""

    def __init__(self, table: DeltaTable) -> None:
        self.table = table

    @classmethod
    def latest(cls, uri: str) -> Snapshot:
        """Return the newest version.

        Raises:
            deltalake.exceptions.TableNotFoundError: there is no table.
            StorageError: S3 refused or could not be reached.
        """
        return cls(open_delta(uri))

    @classmethod
    def find(cls, uri: str) -> Snapshot | None:
        """Return the newest version, or None when there is no table."""
        table = find_delta(uri)
        return None if table is None else cls(table)

    @classmethod
    def at(cls, uri: str, version: int | datetime | None) -> Snapshot:
        """Return a version by number, the one that was current at a time, or the newest (None).

        Raises:
            UnsupportedFeature: a time is given, and the table keeps the times of its versions in another way.
        """
        table = open_delta(uri)
        if isinstance(version, datetime):
            check_times(table)
        if version is not None:
            mended(uri, lambda: table.load_as_version(version))
        return cls(table)

    @property
    def version(self) -> int:
        """The version's number, from 0."""
        return int(self.table.version())

    @property
    def schema(self) -> Schema:
        """The table's Delta schema."""
        return self.table.schema()

    @property
    def partition_columns(self) -> list[str]:
        """Names of the partition columns, in their order."""
        return list(self.table.metadata().partition_columns)

    @property
    def pipeline(self) -> str | None:
        """The pipeline the table belongs to."""
        return self.configuration.get(PIPELINE_PROPERTY)

    @property
    def configuration(self) -> dict[str, str]:
        """The table's properties."""
        return dict(self.table.metadata().configuration)

    def transaction(self, name: str) -> int | None:
        """Return the value of a transaction, by its exact name."""
        with store_errors(self.table.table_uri):
            value = self.table.transaction_version(name)
        return None if value is None else int(value)

    @cached_property
    def active(self) -> dict[str, ActiveFile]:
        """The files of this version, by path."""
        columns = self.partition_columns
        actions = pa.table(self.table.get_add_actions(flatten=True))
        wanted = actions.select(["path", "size_bytes", *(f"partition.{name}" for name in columns)])
        rows = zip(*(column.to_pylist() for column in wanted.columns), strict=True)
        return {path: ActiveFile(path, size, _values(columns, values)) for path, size, *values in rows}

    def rows_of(self, paths: Collection[str], schema: pa.Schema) -> pa.Table:
        """Return the rows of some active files, with the columns and types of `schema`."""
        wanted = set(paths)
        if not wanted:
            return schema.empty_table()
        dataset = self.table.to_pyarrow_dataset()
        fragments = [fragment for fragment in dataset.get_fragments() if fragment.path in wanted]
        chosen = pad.FileSystemDataset(fragments, dataset.schema, dataset.format, fragments[0].filesystem)
        return chosen.to_table(columns=schema.names).cast(schema)

    def event_days(self) -> list[str]:
        """Return the event dates that have files, sorted."""
        days = {file.partition_values.get("event_date") for file in self.active.values()}
        return sorted(day for day in days if day is not None)


def _values(columns: list[str], values: list[Any]) -> dict[str, str | None]:
    return {name: _text(value) for name, value in zip(columns, values, strict=True)}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)
