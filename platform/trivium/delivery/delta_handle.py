"""Opens Delta tables: the one place that tells deltalake how to reach their storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from trivium.delivery.errors import StorageError
from trivium.delivery.s3_access import storage_options
from trivium.delivery.s3_errors import explain, from_delta
from trivium.delivery.table_features import check_readable
from trivium.delivery.table_location import check_location, opening


def open_delta(uri: str) -> DeltaTable:
    """The newest version of a table.

    Raises:
        deltalake.exceptions.TableNotFoundError: there is no table.
        StorageError: S3 refused or could not be reached, no folder can be there, or the log cannot be read.
        UnsupportedFeature: readers of the table would have to know what we do not.
    """
    check_location(uri)
    with opening(uri), store_errors(uri):
        table = DeltaTable(uri, storage_options=storage_options(uri))
    check_readable(table)
    return table


def find_delta(uri: str) -> DeltaTable | None:
    """The newest version of a table, or None when there is no table.

    `DeltaTable.is_deltatable` would hold Python's interpreter lock for as long as the store takes to answer.
    """
    try:
        return open_delta(uri)
    except TableNotFoundError:
        return None


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what S3 answered deltalake into a StorageError; errors of the table itself pass."""
    try:
        yield
    except (OSError, DeltaError) as error:
        if not from_delta(error):
            raise
        raise StorageError(f"table {uri}: {explain(error)}") from error
