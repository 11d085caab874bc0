"""Files that a table's log names, as they lie in the storage."""

from __future__ import annotations

from collections.abc import Iterable

from trivium.connectors.archive.hive_folders import folder_texts
from trivium.core.errors import SourceError
from trivium.delivery.delta.snapshot import ActiveFile
from trivium.delivery.storage.storage import Storage, StoredFile


def stored_files(uri: str, version: int, active: Iterable[ActiveFile]) -> list[StoredFile]:
    """Return the files of a version, sorted by path.

    Raises:
        SourceError: one is gone, or the values of the partition columns do not lie in the files' folders.
    """
    storage, files = Storage(uri), []
    for each in sorted(active, key=lambda each: each.path):
        check_partition(uri, each)
        found = storage.stat(each.path)
        if found is None:
            raise SourceError(
                f"{uri}: version {version} names {each.path}, which is gone. Try: a version that has not been vacuumed"
            )
        files.append(found)
    return files


def check_partition(uri: str, file: ActiveFile) -> None:
    """Prove that a file's folders say what the log says: columns of partitions are read from there.

    Raises:
        SourceError: they do not.
    """
    texts = folder_texts(uri, file.path)
    for name, value in file.partition_values.items():
        if name not in texts or texts[name] != value:
            raise SourceError(
                f"{uri}/{file.path}: expected the folder {name}={value}, as the table's log has it, "
                f"got {f'{name}={texts[name]}' if name in texts else 'none'}. "
                "Try: a writer that names folders by partition, or a copy of the table"
            )
