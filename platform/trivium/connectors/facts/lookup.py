"""Lookups over files: read whole, searched in memory, looked at again beside the path of requests."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from trivium.config.model.file_lookups import FactsLookup
from trivium.connectors.facts.bounds import Bounds
from trivium.connectors.facts.build import ALWAYS, Origins, Validity, built, microseconds
from trivium.connectors.facts.columns import fact_columns
from trivium.connectors.facts.node import release, shared
from trivium.connectors.facts.refresher import Refresher
from trivium.connectors.facts.table import FactTable
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.types.conform import conform
from trivium.types.spec import FieldSpec

_STALE_PERIODS: Final = 2
_SHARED_FROM: Final = 64 << 10
"""Bytes of files from which on a look is taken whether another process of the node has read them."""


@dataclass(frozen=True)
class FactFiles:
    """The files that hold a lookup's facts in one state, in order.

    `name` changes when the facts do; `moment` is the time of the state in microseconds: what a pinned lookup takes for
    now. `intervals` are the microseconds since and until which the rows of each file are valid, where the files and not
    their columns say it.
    """

    storage: Storage
    files: tuple[StoredFile, ...]
    name: str
    moment: int
    intervals: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def lying(cls, storage: Storage, files: list[StoredFile]) -> FactFiles:
        """Return the state of files that only lie there: it is named by paths, sizes and times."""
        listed = [(file.path, file.size, file.modified_us) for file in files]
        name = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]
        return cls(storage, tuple(files), name, max(file.modified_us for file in files))


class LookupOverFiles(ABC):
    """Answers keys from memory.

    The files are looked at again after `refresh_seconds`, in a thread of its own, and loaded again if they changed;
    the old facts answer meanwhile. Where the request is pinned, nothing ever changes. `columns` says what is read.
    """

    in_memory: ClassVar[bool] = True

    def __init__(self, settings: FactsLookup, request: LookupRequest) -> None:
        self.settings, self.request = settings, request
        self.columns = fact_columns(settings, request)
        self._loaded: tuple[FactFiles, FactTable] | None = None
        self._refresher: Refresher | None = None

    @property
    def fields(self) -> dict[str, FieldSpec]:
        """The columns that are read of a file, by their names there: declared ones, those of the key, and of times."""
        return self.columns.fields

    @property
    def fixed(self) -> bool:
        """Say whether the facts never change."""
        return self.request.pinned

    def load(self) -> tuple[FactFiles, FactTable]:
        """Read the files, at the first call, and begin to look at them again.

        Raises:
            SourceError, LookupAnswerError: they cannot be read as declared.
        """
        if self._loaded is None:
            files = self.locate()
            self._loaded = files, self._read(files)
            if not self.fixed:
                period, clock = self.settings.refresh_seconds, self.request.clock
                self._refresher = Refresher(self.request.name, period, clock, self._look)
        return self._loaded

    def close(self) -> None:
        """Look at nothing any more, and let what is shared with other processes be removed."""
        if self._refresher is not None:
            self._refresher.close()
        if self._loaded is not None:
            release(self._loaded[1])

    def check(self) -> None:
        """Prove that the files are there and can be read as declared.

        Raises:
            SourceError, LookupAnswerError: they are not, or cannot.
        """
        self._build(self.locate())

    @abstractmethod
    def locate(self) -> FactFiles:
        """Return the files.

        Raises:
            SourceError: there are none.
        """

    @abstractmethod
    def read(self, storage: Storage, path: str, bounds: Bounds) -> Iterator[pa.Table]:
        """Yield one file's fields in their declared types and order, some rows at a time.

        Raises:
            SourceError, LookupAnswerError: it cannot be read as declared, or has too many rows.
        """

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys from memory; where rows have times, with those that are valid now.

        Raises:
            LookupUnavailable: the facts are older than `max_age_seconds`.
        """
        files, facts = self.load()
        stale = self._stale()
        moment = files.moment if self.request.pinned else max(files.moment, self.request.clock.now_us())
        return _marked(facts.answer(keys, moment), stale=stale)

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer keys from memory, each with the row that was valid at its time.

        Raises:
            LookupAnswerError: rows of this lookup have no times.
            LookupUnavailable: the facts are older than `max_age_seconds`.
        """
        if not self.columns.timed:
            raise self.columns.untimed()
        _, facts = self.load()
        stale = self._stale()
        return _marked(facts.answer_as_of(keys, microseconds(times, ALWAYS[0])), stale=stale)

    def snapshot(self) -> str:
        """Return a name of the state of the files."""
        return self.load()[0].name

    def conformed(self, column: pa.Array, spec: FieldSpec, place: str, first: int = 0) -> pa.Array:
        """Return a column in its declared type; `first` is the place of its first row in the file.

        Raises:
            LookupAnswerError: a value does not fit; names the file, row and column.
        """
        result = conform(column, spec)
        for mask, reason in result.flaws:
            row = first + int(np.flatnonzero(mask)[0])
            raise LookupAnswerError(
                f"lookup {self.request.name}: {place}, row {row}, column {spec.wire}: {reason}. "
                "Try: repair the file, or declare the column optional"
            )
        return result.column

    def _look(self) -> None:
        """Read the files again if they changed."""
        assert self._loaded is not None
        files = self.locate()
        if files.name != self._loaded[0].name:
            old = self._loaded[1]
            self._loaded = files, self._read(files)
            release(old)

    def _stale(self) -> bool:
        """Let the files be looked at if it is time; say whether the facts are old.

        Raises:
            LookupUnavailable: they are too old.
        """
        if self._refresher is None:
            return False
        age, most = self._refresher.wake(), self.settings.max_age_seconds
        if most is not None and age > most:
            raise LookupUnavailable(
                f"lookup {self.request.name}: its facts were looked at {age:,.0f} s ago, and max_age_seconds is "
                f"{most:g}: {self._refresher.error or 'the newest look takes long'}"
            )
        return age > _STALE_PERIODS * self.settings.refresh_seconds

    def _read(self, files: FactFiles) -> FactTable:
        """Return the table of facts of files, which the processes of a node share where it is worth it."""
        if sum(file.size for file in files.files) < _SHARED_FROM:
            return self._build(files)
        settings = self.settings.model_dump_json(exclude={"refresh_seconds", "max_age_seconds", "retry", "unavailable"})
        parts = [files.storage.uri, files.name, settings, str(self.request.key_type), *self.columns.described()]
        return shared(json.dumps(parts), self.columns.key, self.request.key_type, lambda: self._build(files))

    def _build(self, files: FactFiles) -> FactTable:
        bounds, pieces, counts = Bounds(self.request.name, self.settings), [self.columns.none()], []
        for file in files.files:
            before, place = len(pieces), f"{files.storage.uri}/{file.path}"
            for piece in self.read(files.storage, file.path, bounds):
                bounds.take(piece.num_rows, piece.nbytes, place)
                pieces.append(self.columns.uniform(piece))
            counts.append(sum(piece.num_rows for piece in pieces[before:]))
        rows = self._joined(pieces)
        origins = Origins(self.request.name, [f"{files.storage.uri}/{file.path}" for file in files.files], counts)
        validity = self.columns.validity(rows) if files.intervals is None else _of_files(files.intervals, counts)
        kept = rows.select(self.columns.kept)
        return built(kept, self.columns.key, self.request.key_type, validity, origins)

    def _joined(self, pieces: list[pa.Table]) -> pa.RecordBatch:
        batches = pa.concat_tables(pieces).combine_chunks().to_batches()
        if len(batches) > 1:  # 32-bit offsets end there
            raise SourceError(
                f"lookup {self.request.name}: expected at most 2 GB of text in a column, got more. Try: fewer rows"
            )
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=pieces[0].schema)


def _of_files(intervals: tuple[tuple[int, int], ...], counts: list[int]) -> Validity:
    since, until = np.array(intervals, np.int64).reshape(-1, 2).T
    return Validity(np.repeat(since, counts), np.repeat(until, counts))


def _marked(answer: Answer, *, stale: bool) -> Answer:
    return Answer(answer.rows, answer.index, stale=True) if stale else answer
