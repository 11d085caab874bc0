"""Listing of Parquet files: by their names, and by their bytes where names do not say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from trivium.connectors.archive.listing import Listing, list_files
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage, StoredFile

_THREADS: Final = 16
_SUFFIX: Final = re.compile(r"\.(parquet|parq|pq)\Z", re.IGNORECASE)
_MAGIC: Final = (b"PAR1", b"PARE")
_LEAST_BYTES: Final = 12


def list_parquet(uri: str, pattern: str | None = None) -> Listing:
    """List the Parquet files of a folder, or the one file a path names.

    A file is Parquet if its first and last bytes say so. One that a suffix, the pattern or the path itself calls
    Parquet is taken without that look: if it turns out to be none, opening it says so. Names that begin with `_` or `.`
    are hidden, folders of the form `key=value` aside.

    Raises:
        SourceError: there is none, or a file begins or ends as Parquet and not both.
    """
    return list_files(uri, pattern, _by_content, "Parquet")


def _by_content(storage: Storage, there: Iterable[StoredFile]) -> Listing:
    files = list(there)
    doubtful = [file for file in files if not _SUFFIX.search(file.path)]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda file: _is_parquet(storage, file), doubtful))
    foreign = [file.path for file, parquet in zip(doubtful, found, strict=True) if not parquet]
    renamed = [file.path for file, parquet in zip(doubtful, found, strict=True) if parquet]
    left_out = set(foreign)
    read = tuple(file for file in files if file.path not in left_out)
    return Listing(read, tuple(renamed), tuple(foreign))


def _is_parquet(storage: Storage, file: StoredFile) -> bool:
    """Look at the first and the last four bytes."""
    if file.size < _LEAST_BYTES:  # a pipe has no size either, and reading it might never end
        return False
    with storage.open(file.path) as opened:
        begins, ends = (opened.read_at(4, at) in _MAGIC for at in (0, file.size - 4))
    if begins != ends:
        side, other = ("begins", "end") if begins else ("ends", "begin")
        raise SourceError(
            f"{storage.uri}/{file.path}: expected a whole Parquet file, got one that {side} as Parquet and does not "
            f"{other} as such. Try: restore the file, move it away, or leave it out with batch.source.pattern"
        )
    return begins
