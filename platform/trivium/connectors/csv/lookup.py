"""A lookup over CSV: values are text, read as the enrichments declare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.types as pt

from trivium.config.model.file_lookups import CsvLookupSettings
from trivium.connectors.archive.hive_folders import folder_column, natural_type
from trivium.connectors.archive.listing import root_of
from trivium.connectors.facts.bounds import Bounds
from trivium.connectors.facts.lookup import FactFiles, LookupOverFiles
from trivium.contract.lookup import LookupRequest
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.delivery.storage.storage import Storage, StoredFile
from trivium.types.spec import FieldSpec

_BLOCK_BYTES: Final = 8 << 20
_DAY_LETTERS: Final = len("2026-03-01")


class CsvLookup(LookupOverFiles):
    """Answers keys from CSV files held in memory."""

    settings: CsvLookupSettings

    def __init__(self, settings: CsvLookupSettings, request: LookupRequest) -> None:
        super().__init__(settings, request)

    def locate(self) -> FactFiles:
        """Return the files that end in `.csv`, or the one file the path names.

        Raises:
            SourceError: there are none.
        """
        return FactFiles.lying(*located(self.settings.path))

    def read(self, storage: Storage, path: str, bounds: Bounds) -> Iterator[pa.Table]:
        """Yield one file's fields in their declared types and order, some rows at a time.

        Raises:
            SourceError: it is no CSV in UTF-8, a column is missing, or it has too many rows.
            LookupAnswerError: a value is none of its declared type; names the row.
        """
        place, first = f"{storage.uri}/{path}", 0
        with self._reading(place):
            with storage.open(path) as file:
                names = self._opened(file).schema.names
            self._check(names, place)
            columns = [name for name in self.fields if name in names]
            with storage.open(path) as file:
                for texts in self._opened(file, columns):
                    yield self._conformed(texts, place, first)
                    first += texts.num_rows

    def _opened(self, file: pa.NativeFile, columns: Sequence[str] = ()) -> pa_csv.CSVStreamingReader:
        """Return a reader of text; of all columns where none are named."""
        settings = self.settings
        return pa_csv.open_csv(
            file,
            pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            pa_csv.ParseOptions(delimiter=settings.delimiter, newlines_in_values=True),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(self.fields, pa.string()),
                include_columns=list(columns),
                null_values=[settings.null_text],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    @contextmanager
    def _reading(self, place: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            said = str(error).splitlines()[0][:300]
            raise SourceError(
                f"lookup {self.request.name}: {place} is no CSV that can be read: {said}. "
                "Try: UTF-8 with a header, as many values in each line as there are columns, and the right delimiter"
            ) from error

    def _check(self, names: list[str], place: str) -> None:
        problems = []
        for name, spec in self.fields.items():
            if (count := names.count(name)) > 1:
                problems.append(f"column {name}: the file has {count} columns of this name")
            elif not count and (word := self.columns.needed(name) or ("required" if spec.required else None)):
                problems.append(f"column {name}: it is {word} and missing")
            elif natural_type(spec.type.arrow) is None:
                problems.append(f"column {name}: {spec.type.arrow} is not read from text")
        if problems:
            listed = "\n  ".join(problems)
            where = f"lookup {self.request.name}: {place}"
            raise SourceError(f"{where} cannot be read as declared (it has {', '.join(names)}):\n  {listed}")

    def _conformed(self, texts: pa.RecordBatch, place: str, first: int) -> pa.Table:
        return pa.table({name: self._column(texts, name, place, first) for name in self.fields})

    def _column(self, texts: pa.RecordBatch, name: str, place: str, first: int) -> pa.Array:
        if name not in texts.schema.names:
            return self.conformed(pa.nulls(texts.num_rows), self.fields[name], place, first)
        column = texts.column(name)
        spec = self.columns.spec_for(name, pa.date32() if _are_days(column) else pa.string())
        if pt.is_string(spec.type.arrow):
            return self.conformed(column, spec, place, first)
        # Each distinct text is read once.
        encoded = column.dictionary_encode()
        read = [self._value(text, column, spec, place, first) for text in encoded.dictionary.to_pylist()]
        values = pa.concat_arrays(read) if read else pa.nulls(0, spec.type.arrow)
        return self.conformed(values.take(encoded.indices), spec, place, first)

    def _value(self, text: str, column: pa.Array, spec: FieldSpec, place: str, first: int) -> pa.Array:
        try:
            return folder_column(text, spec)
        except ValueError as error:
            row = first + column.index(text).as_py()
            raise LookupAnswerError(
                f"lookup {self.request.name}: {place}, row {row}, column {spec.wire}: {error}, got {text[:80]!r}. "
                "Try: repair the file, or declare the column otherwise"
            ) from error


def _are_days(column: pa.Array) -> bool:
    """Tell days from times by the length of the first text."""
    texts = column.drop_null()
    return len(texts) > 0 and len(texts[0].as_py()) == _DAY_LETTERS


def located(uri: str) -> tuple[Storage, list[StoredFile]]:
    """Return the storage and the CSV files of a folder, or of the one file a path names, sorted by path.

    Raises:
        SourceError: there is none.
    """
    storage, name = root_of(uri)
    one = storage.stat(name) if name else None
    files = [one] if one else [file for file in storage.list() if file.path.endswith(".csv")]
    if not files:
        raise SourceError(f"{uri}: expected a CSV file, or a folder of files that end in .csv, found none")
    return storage, files
