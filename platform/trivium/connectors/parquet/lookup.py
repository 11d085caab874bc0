"""A lookup held in memory: a Parquet file or folder, keyed by one column, read again when it has changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.pipeline import BoundLookup
from trivium.connectors.parquet.files import locate, open_parquet, reading
from trivium.connectors.parquet.hive_folders import folder_column, folder_texts
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer
from trivium.core.clock import Clock, Deadline
from trivium.core.errors import LookupAnswerError, SourceError, TriviumError
from trivium.delivery.storage.storage import StoredFile
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.spec import FieldSpec, TypeSpec

FROZEN: Final = float("inf")


@dataclass(frozen=True)
class _Loaded:
    files: tuple[StoredFile, ...]
    rows: pa.RecordBatch
    places: dict[Any, int]


def snapshot_of(uri: str) -> str:
    """A digest of the lookup's files: paths, sizes and times. It changes when the lookup does."""
    files = [(file.path, file.size, file.modified_us) for file in locate(uri)[1]]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def check_files(bound: BoundLookup) -> None:
    """Prove that the lookup's files are there and have its columns; reads no rows.

    Raises:
        SourceError: there are none, one is no whole Parquet file, or a column cannot be read as declared.
    """
    storage, files = locate(bound.config.path)
    for file in files:
        with open_parquet(storage, file.path) as opened:
            _check_schema(bound, storage.uri, file.path, opened.schema_arrow)


class ParquetLookup:
    """Answers keys from memory.

    The files are looked at again after `refresh_seconds` and loaded again if they changed. Batch pins one
    snapshot for a whole run with `refresh_seconds=FROZEN`.
    """

    def __init__(self, bound: BoundLookup, clock: Clock, refresh_seconds: float | None = None) -> None:
        self._bound, self._clock = bound, clock
        self._refresh_seconds = bound.config.refresh_seconds if refresh_seconds is None else refresh_seconds
        self._fields = _fields(bound)
        self._storage, files = locate(bound.config.path)
        self._loaded = self._load(tuple(files))
        self._looked_at = clock.monotonic()

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys from memory.

        Raises:
            LookupUnavailable: the file was to be looked at again and could not be read.
        """
        self._refresh()
        place = self._loaded.places.get
        return Answer(self._loaded.rows, pa.array([place(key) for key in keys.to_pylist()], pa.int32()))

    def _refresh(self) -> None:
        if self._clock.monotonic() - self._looked_at < self._refresh_seconds:
            return
        try:
            files = tuple(locate(self._bound.config.path)[1])
            if files != self._loaded.files:
                self._loaded = self._load(files)
        except TriviumError as error:
            raise LookupUnavailable(f"lookup {self._bound.name}: {error}") from error
        self._looked_at = self._clock.monotonic()

    def _load(self, files: tuple[StoredFile, ...]) -> _Loaded:
        config = self._bound.config
        parts = [self._read(file.path) for file in files]
        table = pa.concat_tables(parts).combine_chunks()
        if table.num_rows > config.max_rows or table.nbytes > config.max_bytes:
            raise SourceError(
                f"lookup {self._bound.name}: expected at most {config.max_rows:,} rows and {config.max_bytes:,} bytes, "
                f"got {table.num_rows:,} and {table.nbytes:,}. Try: a smaller file, or raise max_rows and max_bytes"
            )
        rows = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=table.schema)
        keys = rows.column(config.key)
        self._check_keys(keys)
        return _Loaded(files, rows, {key: place for place, key in enumerate(keys.to_pylist())})

    def _read(self, path: str) -> pa.Table:
        """One file's declared columns and the key, in their declared types and order."""
        with open_parquet(self._storage, path) as opened:
            schema = opened.schema_arrow
            _check_schema(self._bound, self._storage.uri, path, schema)
            columns = [name for name in self._fields if name in schema.names]
            with reading(self._storage, path):
                table = opened.read(columns=columns, use_threads=False).combine_chunks()
        return pa.table({name: self._column(path, table, spec) for name, spec in self._fields.items()})

    def _column(self, path: str, table: pa.Table, spec: FieldSpec) -> pa.Array:
        if spec.wire not in table.column_names:
            texts = folder_texts(self._storage.uri, path)
            if spec.wire in texts:
                value = folder_column(texts[spec.wire], spec)
                return value.take(pa.array(np.zeros(table.num_rows, np.int64)))
            return conform(pa.nulls(table.num_rows), spec).column
        conformed = conform(table.column(spec.wire).combine_chunks(), spec)
        for mask, reason in conformed.flaws:
            row = int(np.flatnonzero(mask)[0])
            raise LookupAnswerError(
                f"lookup {self._bound.name}: {self._storage.uri}/{path}, row {row}, column {spec.wire}: {reason}. "
                "Try: repair the file, or declare the column optional"
            )
        return conformed.column

    def _check_keys(self, keys: pa.Array) -> None:
        if keys.null_count:
            raise LookupAnswerError(f"lookup {self._bound.name}: {keys.null_count} rows have no key")
        counts = pc.value_counts(keys)
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        if len(twice):
            key = twice.field("values")[0].as_py()
            raise LookupAnswerError(
                f"lookup {self._bound.name}: expected one row a key, got {len(twice)} keys more than once, such as "
                f"{key!r}. Try: remove the repeated rows"
            )


def _fields(bound: BoundLookup) -> dict[str, FieldSpec]:
    """What is read of a file, by wire name: the declared columns, and the key where it is none of them."""
    key = bound.config.key
    undeclared = FieldSpec(key, key, TypeSpec(bound.key_type), nullable=True, required=False)
    declared = {spec.wire: spec for spec in bound.columns}
    return declared if key in declared else {**declared, key: undeclared}


def _check_schema(bound: BoundLookup, uri: str, path: str, schema: pa.Schema) -> None:
    problems, texts = [], folder_texts(uri, path)
    for name, spec in _fields(bound).items():
        if (count := schema.names.count(name)) > 1:
            problem: str | None = f"the file has {count} columns of this name"
        elif count:
            problem = type_problem(schema.field(name).type, spec.type)
        elif name in texts:
            problem = _folder_problem(texts[name], spec)
        elif name == bound.config.key:
            problem = "it is the key and missing"
        else:
            problem = "it is required and missing" if spec.required else None
        problems += [f"column {name}: {problem}"] if problem else []
    if problems:
        listed = "\n  ".join(problems)
        place = f"lookup {bound.name}: {uri}/{path}"
        raise SourceError(f"{place} cannot be read as declared (it has {', '.join(schema.names)}):\n  {listed}")


def _folder_problem(text: str | None, spec: FieldSpec) -> str | None:
    try:
        folder_column(text, spec)
    except ValueError as error:
        return f"folder {spec.wire}={text}: {error}"
    return None
