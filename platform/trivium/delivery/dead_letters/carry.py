"""Dead letters that a batch run's commit would drop though they are not its own to replace.

Dead letters count per source day. A run that replaces a source day's letters has read all of that day's inputs, but
said nothing of event types it does not list, nor of all rows where event days are left out. The letters of those are
carried over: appended once more, as they are, under the run's generation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trivium.delivery.coverage.scope import Scope
from trivium.delivery.dead_letters.batch import RUNTIME, counts
from trivium.delivery.dead_letters.schema import ROW_SCHEMA, reject_files
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.delta.transactions import ALL_DAYS
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.rewrite import DEAD_LETTERS, rows_of_file
from trivium.delivery.storage.storage import Storage


def carried_letters(
    uri: str, table_uri: str, scope: Scope, source_days: Collection[str], own: Sequence[DataFile]
) -> tuple[DataFile, ...]:
    """Write the counting letters that stay, and return their files; `own` are the files of the run's letters.

    An input that the run rejected itself is not carried over beside.

    Raises:
        FileMismatch: a file of letters does not read as the table's rows; nothing was committed.
        StorageError: the storage refused.
    """
    storage, table = Storage(uri), Snapshot.latest(table_uri)
    files = [file for file in Snapshot.latest(uri).active.values() if _drops(file, scope, source_days)]
    files = [file for file in files if counts(file, table) and _may_stay(storage, file, scope)]
    if not files:
        return ()
    writer, taken = reject_files(storage, "carried"), _places(storage, own)
    try:
        for file in files:
            for rows in rows_of_file(storage, file, ROW_SCHEMA, DEAD_LETTERS.runtime):
                writer.write(rows.filter(pa.array(list(_stays(rows, scope, taken)), pa.bool_())))
        return tuple(writer.close())
    except BaseException:
        writer.abandon()
        raise


def _drops(file: ActiveFile, scope: Scope, source_days: Collection[str]) -> bool:
    """Return whether a file's letters would not count any more after the run's commit."""
    whole = scope.window is None and not scope.left_out
    day = file.partition_values["source_day"] or ALL_DAYS
    return file.partition_values["runtime"] == RUNTIME and (whole or day in source_days)


def _may_stay(storage: Storage, file: ActiveFile, scope: Scope) -> bool:
    if file.partition_values["source_day"] in scope.left_out:
        return True
    with storage.open(file.path) as stream:
        held = pc.unique(pq.ParquetFile(stream).read(["event_type"]).column("event_type")).to_pylist()
    return not all(map(scope.owns_letters_of, held))


def _stays(rows: pa.Table, scope: Scope, taken: set[tuple[str, int]]) -> Iterator[bool]:
    columns = (rows[name].to_pylist() for name in ("event_type", "source_day", "source", "position"))
    for event_type, day, source, position in zip(*columns, strict=True):
        own = scope.owns_letters_of(event_type)
        yield (not own or day in scope.left_out) and (source, position) not in taken


def _places(storage: Storage, files: Iterable[DataFile]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for file in files:
        with storage.open(file.path) as stream:
            rows = pq.ParquetFile(stream).read(["source", "position"])
        found.update(zip(rows["source"].to_pylist(), rows["position"].to_pylist(), strict=True))
    return found
