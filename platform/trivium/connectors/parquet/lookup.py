"""A lookup over Parquet: one file or a folder of them, whose folders' names are columns too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from trivium.connectors.archive.hive_folders import folder_column, folder_texts
from trivium.connectors.facts.bounds import Bounds
from trivium.connectors.facts.lookup import FactFiles, LookupOverFiles
from trivium.connectors.parquet.files import locate, open_parquet, reading
from trivium.connectors.parquet.rows import read_rows
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.spec import FieldSpec


class ParquetLookup(LookupOverFiles):
    """Answers keys from Parquet files held in memory."""

    def locate(self) -> FactFiles:
        """Return the Parquet files, sorted by path.

        Raises:
            SourceError: there are none.
        """
        return FactFiles.lying(*locate(self.settings.path))

    def check(self) -> None:
        """Prove that the files are there and have the columns; reads no rows.

        Raises:
            SourceError: there are none, one is no whole Parquet file, or a column cannot be read as declared.
        """
        found = self.locate()
        for file in found.files:
            with open_parquet(found.storage, file.path) as opened:
                self._check(found.storage.uri, file.path, opened.schema_arrow)

    def read(self, storage: Storage, path: str, bounds: Bounds) -> Iterator[pa.Table]:
        """Yield one file's fields in their declared types and order, some rows at a time.

        Raises:
            SourceError, LookupAnswerError: it cannot be read as declared, or has too many rows.
        """
        with open_parquet(storage, path) as opened:
            schema, count = opened.schema_arrow, opened.metadata.num_rows
            self._check(storage.uri, path, schema)
            bounds.foresee(count, f"{storage.uri}/{path}")
            columns = [name for name in self.fields if name in schema.names]
            with reading(storage, path):
                for first, rows in read_rows(storage, path, opened, range(count), columns):
                    yield self._conformed(storage.uri, path, rows, first)

    def _conformed(self, uri: str, path: str, rows: pa.RecordBatch, first: int) -> pa.Table:
        return pa.table({name: self._column(uri, path, rows, name, first) for name in self.fields})

    def _column(self, uri: str, path: str, rows: pa.RecordBatch, name: str, first: int) -> pa.Array:
        if name in rows.schema.names:
            column = rows.column(name)
            return self.conformed(column, self.columns.spec_for(name, column.type), f"{uri}/{path}", first)
        spec, texts = self.fields[name], folder_texts(uri, path)
        if name in texts:
            value = folder_column(texts[name], spec)
            return value.take(pa.array(np.zeros(rows.num_rows, np.int64)))
        return conform(pa.nulls(rows.num_rows), spec).column

    def _check(self, uri: str, path: str, schema: pa.Schema) -> None:
        problems = list(self._problems(folder_texts(uri, path), schema))
        if problems:
            listed = "\n  ".join(problems)
            place = f"lookup {self.request.name}: {uri}/{path}"
            raise SourceError(f"{place} cannot be read as declared (it has {', '.join(schema.names)}):\n  {listed}")

    def _problems(self, texts: dict[str, str | None], schema: pa.Schema) -> Iterator[str]:
        for name, spec in self.fields.items():
            if (count := schema.names.count(name)) > 1:
                problem: str | None = f"the file has {count} columns of this name"
            elif count:
                kind = schema.field(name).type
                problem = type_problem(kind, self.columns.spec_for(name, kind).type)
            elif name in texts:
                problem = _folder_problem(texts[name], spec)
            elif word := self.columns.needed(name):
                problem = f"it is {word} and missing"
            else:
                problem = "it is required and missing" if spec.required else None
            if problem:
                yield f"column {name}: {problem}"


def _folder_problem(text: str | None, spec: FieldSpec) -> str | None:
    try:
        folder_column(text, spec)
    except ValueError as error:
        return f"folder {spec.wire}={text}: {error}"
    return None
