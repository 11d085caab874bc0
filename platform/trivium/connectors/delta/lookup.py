"""A lookup over a Delta table: one version of it, or its newest versions by the times at which they were committed."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa

from trivium.config.model.file_lookups import DeltaLookupSettings
from trivium.connectors.delta.files import check_partition, stored_files
from trivium.connectors.delta.history import commit_time, periods
from trivium.connectors.facts.lookup import FactFiles
from trivium.connectors.parquet.lookup import ParquetLookup
from trivium.contract.lookup import LookupRequest
from trivium.delivery.delta.handle import read_delta
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.storage.storage import Storage, StoredFile


class DeltaLookup(ParquetLookup):
    """Answers keys from the rows of a Delta table held in memory.

    Its snapshot begins with the version's number, so that a worker opens the version that the driver found.
    """

    settings: DeltaLookupSettings

    def __init__(self, settings: DeltaLookupSettings, request: LookupRequest) -> None:
        super().__init__(settings, request)

    @property
    def fixed(self) -> bool:
        """Say whether the facts never change."""
        return super().fixed or self.settings.version is not None

    def locate(self) -> FactFiles:
        """Return the files of the version to read, or of all that facts of a time may come from.

        Raises:
            SourceError: there is no table or no such version, a file is gone, a column is missing, or the values of the
                partition columns do not lie in the files' folders.
            UnsupportedFeature: readers of the table would have to know what we do not.
        """
        uri = self.settings.path
        snapshot = Snapshot(read_delta(uri, self._version()))
        self._check(uri, "_delta_log", pa.schema(snapshot.schema.to_arrow()))
        if self.settings.as_of is not None:
            return self._of_versions(snapshot)
        files = stored_files(uri, snapshot.version, snapshot.active.values())
        moment = commit_time(uri, snapshot.version)
        return FactFiles(Storage(uri), tuple(files), _name(snapshot, [each.path for each in files]), moment)

    def _version(self) -> int | None:
        if self.settings.version is None and self.request.snapshot:
            return int(self.request.snapshot.partition("-")[0])
        return self.settings.version

    def _of_versions(self, snapshot: Snapshot) -> FactFiles:
        uri = self.settings.path
        found, moment = periods(uri, snapshot.version, self.settings.max_versions)
        for each in found:
            check_partition(uri, each.file)
        intervals = tuple((each.since, each.until) for each in found)
        name = _name(snapshot, [[each.file.path, each.since, each.until] for each in found])
        files = tuple(StoredFile(each.file.path, each.file.size, 0) for each in found)
        return FactFiles(Storage(uri), files, name, moment, intervals)


def _name(snapshot: Snapshot, files: list[object]) -> str:
    """Return the version's number and a digest of the table's identity and files."""
    listed = json.dumps([str(snapshot.head.metadata().id), files])
    return f"{snapshot.version}-{hashlib.sha256(listed.encode()).hexdigest()[:12]}"
