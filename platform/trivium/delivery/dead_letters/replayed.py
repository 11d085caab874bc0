"""Letters that were replayed: which of them are done is decided by the table, in the commit that adds their rows.

1. Before that commit the replay publishes a document, `<table>/_trivium/replays/<number>.json`: the places of the
   inputs it processed, and the files of letters of those that were rejected again. Nobody reads it yet.
2. The table's commit names the number. From here on those letters are done, and the new ones count, for every reader.
3. A commit of the letters' table removes the one and adds the other, and names the number too.

Killed before 2, nothing has happened. Killed between 2 and 3, readers take the document for what 3 would have done, and
every start and every maintenance makes up for it. The newest document stays, for readers that looked between 2 and 3.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.core.clock import Clock
from trivium.core.fault_points import reach
from trivium.delivery.columns import completed
from trivium.delivery.commit.committer import Change, commit
from trivium.delivery.commit.generation import commit_metadata
from trivium.delivery.dead_letters.schema import SCHEMA
from trivium.delivery.delta import transactions
from trivium.delivery.delta.durability import make_durable
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.errors import StorageError
from trivium.delivery.files.data_file import DataFile
from trivium.delivery.files.rewrite import DEAD_LETTERS, Group, copied_rows, rows_of_file
from trivium.delivery.storage.storage import Storage

RUNTIME: Final = "replay"
_FOLDER: Final = "_trivium/replays"

_log = logging.getLogger(__name__)


class Replayed(msgspec.Struct, frozen=True):
    """The letters of streaming that one commit is done with: offsets by source; `letters` are those that come anew."""

    number: int
    places: dict[str, list[int]]
    letters: tuple[DataFile, ...] = ()

    def holds(self, rows: pa.Table) -> pa.Array:
        """Return for each row with `source` and `position` whether it is one of the places."""
        sources = rows["source"].combine_chunks().dictionary_encode()
        codes = sources.indices.to_numpy(zero_copy_only=False)
        positions = rows["position"].to_numpy()
        found: npt.NDArray[np.bool_] = np.zeros(len(positions), np.bool_)
        for code, source in enumerate(sources.dictionary.to_pylist()):
            if source in self.places:
                found |= (codes == code) & np.isin(positions, np.array(self.places[source], np.int64))
        return pa.array(found)

    def letter_rows(self, storage: Storage) -> pa.Table:
        """Return the letters that come anew, with the columns of `SCHEMA`."""
        parts = [SCHEMA.empty_table()]
        for file in self.letters:
            active = ActiveFile(file.path, file.size, file.partition_values)
            for rows in rows_of_file(storage, active, SCHEMA, DEAD_LETTERS.runtime):
                runtime = pa.repeat(file.partition_values[DEAD_LETTERS.runtime] or "", rows.num_rows)
                parts.append(completed(rows.append_column("runtime", runtime), SCHEMA))
        return pa.concat_tables(parts)


def publish(uri: str, replayed: Replayed) -> None:
    """Store the document of a replay beside the table at `uri` (step 1); its files must be closed."""
    Storage(uri).publish(_path(replayed.number), msgspec.json.encode(replayed))
    reach("replay.published")


def number_of(snapshot: Snapshot) -> int:
    """Return the newest replay that a snapshot of either table names, 0: none."""
    return snapshot.transaction(transactions.replayed(snapshot.pipeline or "")) or 0


def pending(table: Snapshot, letters: Snapshot) -> Replayed | None:
    """Return the replay that the table is done with and the letters' table is not yet.

    Raises:
        StorageError: its document is gone or is none.
    """
    number = number_of(table)
    if number <= number_of(letters):
        return None
    uri = table.head.table_uri
    try:
        return msgspec.json.decode(Storage(uri).read(_path(number)), type=Replayed)
    except ValueError as error:
        message = f"{uri}/{_path(number)} does not say which dead letters replay {number} was done with: {error}"
        raise StorageError(f"{message}. Try: restore the file") from error


def settle(uri: str, table_uri: str, clock: Clock) -> int:
    """Carry out step 3 where it is wanting: `uri` are the letters. Returns how many letters went.

    Raises:
        DeliveryError: see `committer.commit` and `pending`.
    """
    table = Snapshot.latest(table_uri)
    replayed = pending(table, Snapshot.latest(uri))
    if replayed is None:
        return 0
    make_durable(table_uri, table.version)  # else a power cut could take the rows and leave the letters removed
    commit(uri, _Settlement(table.pipeline or "", replayed, Storage(uri)), clock)
    _remove_older(Storage(table_uri), replayed.number)
    return sum(map(len, replayed.places.values()))


@dataclass
class _Settlement:
    """The letters' table without the letters that a replay is done with, and with those that came anew."""

    pipeline: str
    replayed: Replayed
    storage: Storage
    fault_point: str | None = "settle"
    _written: dict[str, tuple[DataFile, ...]] = field(default_factory=dict, repr=False)

    def change(self, snapshot: Snapshot) -> Change:
        name, number = transactions.replayed(self.pipeline), self.replayed.number
        metadata = commit_metadata(RUNTIME, number, "settled")
        if self.landed(snapshot):
            return Change(metadata=metadata)
        touched = [file for file in snapshot.active.values() if self._touches(snapshot, file)]
        for file in touched:
            if file.path not in self._written:
                self._written[file.path] = self._rest(snapshot, file)
        kept = tuple(new for file in touched for new in self._written[file.path])
        return Change((*kept, *self.replayed.letters), tuple(touched), {name: number}, metadata)

    def landed(self, snapshot: Snapshot) -> bool:
        return number_of(snapshot) >= self.replayed.number

    def _touches(self, snapshot: Snapshot, file: ActiveFile) -> bool:
        if file.partition_values[DEAD_LETTERS.runtime] != "streaming":
            return False
        places = pa.schema([SCHEMA.field("source"), SCHEMA.field("position")])
        return bool(np.any(self.replayed.holds(snapshot.rows_of([file.path], places)).to_numpy(zero_copy_only=False)))

    def _rest(self, snapshot: Snapshot, file: ActiveFile) -> tuple[DataFile, ...]:
        def stays(rows: pa.Table) -> pa.Array:
            return pa.array(~self.replayed.holds(rows).to_numpy(zero_copy_only=False))

        schema = pa.schema(snapshot.schema.to_arrow())
        return copied_rows(self.storage, DEAD_LETTERS, schema, "kept", Group(file.partition_values, (file,)), stays)


def _remove_older(storage: Storage, number: int) -> None:
    for file in storage.list(_FOLDER):
        if file.path < _path(number):
            storage.remove(file.path)


def _path(number: int) -> str:
    return f"{_FOLDER}/{number:020d}.json"


def places_of(rows: pa.Table) -> dict[str, list[int]]:
    """Return the offsets of letters by source."""
    found: dict[str, list[int]] = {}
    for source, position in zip(rows["source"].to_pylist(), rows["position"].to_pylist(), strict=True):
        found.setdefault(source, []).append(position)
    return found
