"""Opens Delta tables: the one place that tells deltalake how to reach their storage.

The first time that a process opens a table on a disk, its log is checked for what a power cut left torn; so is the log
of any table that does not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from trivium.core.errors import SourceError
from trivium.delivery.delta.features import check_readable
from trivium.delivery.delta.location import check_location, opening
from trivium.delivery.delta.log_check import check_log, check_whole_log
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.s3_access import storage_options
from trivium.delivery.storage.s3_errors import explain, from_delta
from trivium.delivery.storage.storage import Storage

T = TypeVar("T")

_checked: set[str] = set()
"""Tables whose log this process has checked."""


def open_delta(uri: str) -> DeltaTable:
    """Return the newest version of a table.

    Raises:
        deltalake.exceptions.TableNotFoundError: there is no table.
        StorageError: S3 refused or could not be reached, no folder can be there, the log cannot be read, or something
            torn in it cannot be moved aside.
        LogBroken: log entries that are needed are gone.
        UnsupportedFeature: readers of the table would have to know what we do not.
    """
    check_location(uri)
    if uri not in _checked and not Storage(uri).durable_once_written:
        check_log(uri)
        _checked.add(uri)
    with opening(uri):
        table = mended(uri, lambda: DeltaTable(uri, storage_options=storage_options(uri)))
    check_readable(table)
    return table


def read_delta(uri: str, version: int | None) -> DeltaTable:
    """Return a version of a table that others write, or the newest (None); nothing in it is mended.

    Raises:
        SourceError: there is no table, or no such version.
        StorageError: see `open_delta`.
        UnsupportedFeature: readers of the table would have to know what we do not.
    """
    check_location(uri)
    try:
        with opening(uri), store_errors(uri):
            table = DeltaTable(uri, storage_options=storage_options(uri))
            newest = table.version()
            if version is not None and version > newest:
                raise SourceError(f"{uri}: expected version {version}, the newest is {newest}. Try: an older one")
            if version is not None:
                table.load_as_version(version)
    except TableNotFoundError as error:
        raise SourceError(f"{uri}: expected a Delta table, found none. Try: check the path") from error
    check_readable(table)
    return table


def mended(uri: str, read: Callable[[], T]) -> T:
    """Return what `read` reads of a table; if its log is torn, move aside what is, and read again.

    Raises:
        StorageError: S3 refused or could not be reached; or something torn cannot be moved aside.
        LogBroken: log entries that are needed are gone.
    """
    with store_errors(uri):
        try:
            return read()
        except TableNotFoundError:
            raise
        except DeltaError as error:
            if from_delta(error) or not check_whole_log(uri):
                raise
        return read()


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what S3 answered deltalake into a StorageError; errors of the table itself pass."""
    try:
        yield
    except (OSError, DeltaError) as error:
        if not from_delta(error):
            raise
        raise StorageError(f"table {uri}: {explain(error)}") from error
