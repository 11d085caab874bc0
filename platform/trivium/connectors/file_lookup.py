"""Lookups over files held in memory: read whole, looked at again from time to time, keyed by one column."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.model.lookups import FileLookup
from trivium.connectors.memory.keyed_rows import KeyedRows
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline
from trivium.core.errors import LookupAnswerError, SourceError, TriviumError
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.types.conform import conform
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import FieldSpec

Files = tuple[Storage, list[StoredFile]]


@dataclass(frozen=True)
class _Loaded:
    files: tuple[StoredFile, ...]
    rows: KeyedRows


class LookupOverFiles(ABC):
    """Answers keys from memory.

    The files are looked at again after `refresh_seconds` and loaded again if they changed; never where the request is
    pinned. `fields` is what is read of a file, by its name there: the declared columns, and the key.
    """

    in_memory: ClassVar[bool] = True

    def __init__(self, settings: FileLookup, request: LookupRequest) -> None:
        self.settings, self.request = settings, request
        self.fields = _fields(settings.key, request)
        self._loaded: _Loaded | None = None
        self._looked_at = 0.0

    def load(self) -> _Loaded:
        """Read the files, at the first call.

        Raises:
            SourceError, LookupAnswerError: they cannot be read as declared.
        """
        if self._loaded is None:
            self._loaded = self._load(self.locate())
            self._looked_at = self.request.clock.monotonic()
        return self._loaded

    def check(self) -> None:
        """Prove that the files are there and can be read as declared.

        Raises:
            SourceError, LookupAnswerError: they are not, or cannot.
        """
        self.load()

    @abstractmethod
    def locate(self) -> Files:
        """Return the storage and the files, sorted by path.

        Raises:
            SourceError: there are none.
        """

    @abstractmethod
    def read(self, storage: Storage, path: str) -> pa.Table:
        """Return one file's fields in their declared types and order.

        Raises:
            SourceError, LookupAnswerError: it cannot be read as declared.
        """

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys from memory.

        Raises:
            LookupUnavailable: the files were to be looked at again and could not be read.
        """
        return self._current().rows.answer(keys)

    def snapshot(self) -> str:
        """Return a digest of the files' paths, sizes and times."""
        files = [(file.path, file.size, file.modified_us) for file in self.load().files]
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]

    def _current(self) -> _Loaded:
        loaded, now = self.load(), self.request.clock.monotonic()
        if self.request.pinned or now - self._looked_at < self.settings.refresh_seconds:
            return loaded
        try:
            storage, files = self.locate()
            if tuple(files) != loaded.files:
                loaded = self._loaded = self._load((storage, files))
        except TriviumError as error:
            raise LookupUnavailable(f"lookup {self.request.name}: {error}") from error
        self._looked_at = now
        return loaded

    def _load(self, found: Files) -> _Loaded:
        storage, files = found
        table = pa.concat_tables([self.read(storage, file.path) for file in files]).combine_chunks()
        settings = self.settings
        if table.num_rows > settings.max_rows or table.nbytes > settings.max_bytes:
            raise SourceError(
                f"lookup {self.request.name}: expected at most {settings.max_rows:,} rows and "
                f"{settings.max_bytes:,} bytes, got {table.num_rows:,} and {table.nbytes:,}. "
                "Try: a smaller file, or raise max_rows and max_bytes"
            )
        rows = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=table.schema)
        keys = rows.column(settings.key)
        self._check_keys(keys)
        return _Loaded(tuple(files), KeyedRows(rows, keys.to_pylist()))

    def _check_keys(self, keys: pa.Array) -> None:
        name = self.request.name
        if keys.null_count:
            raise LookupAnswerError(f"lookup {name}: {keys.null_count} rows have no key")
        counts = pc.value_counts(keys)
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        if len(twice):
            key = twice.field("values")[0].as_py()
            raise LookupAnswerError(
                f"lookup {name}: expected one row a key, got {len(twice)} keys more than once, such as {key!r}. "
                "Try: remove the repeated rows"
            )

    def conformed(self, column: pa.Array, spec: FieldSpec, place: str) -> pa.Array:
        """Return a column in its declared type.

        Raises:
            LookupAnswerError: a value does not fit; names the file, row and column.
        """
        result = conform(column, spec)
        for mask, reason in result.flaws:
            row = int(np.flatnonzero(mask)[0])
            raise LookupAnswerError(
                f"lookup {self.request.name}: {place}, row {row}, column {spec.wire}: {reason}. "
                "Try: repair the file, or declare the column optional"
            )
        return result.column


def _fields(key: str, request: LookupRequest) -> dict[str, FieldSpec]:
    undeclared = FieldSpec(key, key, spec_of_arrow(request.key_type), nullable=True, required=False)
    declared = {spec.wire: spec for spec in request.fields}
    return declared if key in declared else {**declared, key: undeclared}
