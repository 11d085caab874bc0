"""A Delta table as batch's source: the files of one version, read as Parquet with the partition columns of the log."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.config.model.sources import DeltaSource
from trivium.connectors.parquet.hive_folders import folder_texts
from trivium.connectors.parquet.listing import Listing
from trivium.connectors.parquet.source import ParquetReader
from trivium.contract.declaration import Declaration
from trivium.core.errors import SourceError
from trivium.delivery.delta.handle import read_delta
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.storage.storage import Storage


class DeltaReader(ParquetReader):
    """Reads one version of a table. A table is listed once, by the driver; workers read the files it names."""

    def __init__(self, source: DeltaSource, declarations: Mapping[str, Declaration], tag_field: str | None) -> None:
        super().__init__(source, declarations, tag_field)
        self._version = source.version

    def listing(self) -> Listing:
        """Return the files of the version, with a note of its number.

        Raises:
            SourceError: there is no table, no such version or no file, a file is gone, or the values of the partition
                columns do not lie in the files' folders.
            UnsupportedFeature: readers of the table would have to know what we do not.
        """
        path = self._source.path
        snapshot = Snapshot(read_delta(path, self._version))
        storage, active = Storage(path), sorted(snapshot.active.values(), key=lambda each: each.path)
        files = []
        for each in active:
            self._check_partition(each)
            found = storage.stat(each.path)
            if found is None:
                raise SourceError(
                    f"{path}: version {snapshot.version} names {each.path}, which is gone. "
                    "Try: a version that has not been vacuumed"
                )
            files.append(found)
        if not files:
            raise SourceError(f"{path}: expected rows in version {snapshot.version}, found none. Try: another version")
        return Listing(storage, tuple(files), version=snapshot.version)

    def _check_partition(self, file: ActiveFile) -> None:
        """Prove that a file's folders say what the log says: columns of partitions are read from there."""
        texts = folder_texts(self._source.path, file.path)
        for name, value in file.partition_values.items():
            if name not in texts or texts[name] != value:
                raise SourceError(
                    f"{self._source.path}/{file.path}: expected the folder {name}={value}, as the table's log has it, "
                    f"got {f'{name}={texts[name]}' if name in texts else 'none'}. "
                    "Try: a writer that names folders by partition, or a copy of the table"
                )
