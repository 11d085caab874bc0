"""A lookup over Parquet: one file or a folder of them, whose folders' names are columns too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from trivium.connectors.archive.hive_folders import folder_column, folder_texts
from trivium.connectors.file_lookup import Files, LookupOverFiles
from trivium.connectors.parquet.files import locate, open_parquet, reading
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage
from trivium.types.column_types import type_problem
from trivium.types.conform import conform
from trivium.types.spec import FieldSpec


class ParquetLookup(LookupOverFiles):
    """Answers keys from Parquet files held in memory."""

    def locate(self) -> Files:
        """Return the storage and the Parquet files, sorted by path.

        Raises:
            SourceError: there are none.
        """
        return locate(self.settings.path)

    def check(self) -> None:
        """Prove that the files are there and have the columns; reads no rows.

        Raises:
            SourceError: there are none, one is no whole Parquet file, or a column cannot be read as declared.
        """
        storage, files = self.locate()
        for file in files:
            with open_parquet(storage, file.path) as opened:
                self._check(storage.uri, file.path, opened.schema_arrow)

    def read(self, storage: Storage, path: str) -> pa.Table:
        """Return one file's fields in their declared types and order.

        Raises:
            SourceError, LookupAnswerError: it cannot be read as declared.
        """
        with open_parquet(storage, path) as opened:
            schema = opened.schema_arrow
            self._check(storage.uri, path, schema)
            columns = [name for name in self.fields if name in schema.names]
            with reading(storage, path):
                table = opened.read(columns=columns, use_threads=False).combine_chunks()
        return pa.table({name: self._column(storage.uri, path, table, spec) for name, spec in self.fields.items()})

    def _column(self, uri: str, path: str, table: pa.Table, spec: FieldSpec) -> pa.Array:
        if spec.wire in table.column_names:
            return self.conformed(table.column(spec.wire).combine_chunks(), spec, f"{uri}/{path}")
        texts = folder_texts(uri, path)
        if spec.wire in texts:
            value = folder_column(texts[spec.wire], spec)
            return value.take(pa.array(np.zeros(table.num_rows, np.int64)))
        return conform(pa.nulls(table.num_rows), spec).column

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
                problem = type_problem(schema.field(name).type, spec.type)
            elif name in texts:
                problem = _folder_problem(texts[name], spec)
            elif name == self.settings.key:
                problem = "it is the key and missing"
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
