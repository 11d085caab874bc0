"""A lookup over CSV: values are text, read as the enrichments declare them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.types as pt

from trivium.config.model.lookups import CsvLookupSettings
from trivium.connectors.archive.hive_folders import folder_column, natural_type
from trivium.connectors.archive.listing import root_of
from trivium.connectors.file_lookup import Files, LookupOverFiles
from trivium.contract.lookup import LookupRequest
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.delivery.storage.storage import Storage
from trivium.types.spec import FieldSpec


class CsvLookup(LookupOverFiles):
    """Answers keys from CSV files held in memory."""

    settings: CsvLookupSettings

    def __init__(self, settings: CsvLookupSettings, request: LookupRequest) -> None:
        super().__init__(settings, request)

    def locate(self) -> Files:
        """Return the storage and the files that end in `.csv`, or the one file the path names.

        Raises:
            SourceError: there are none.
        """
        return located(self.settings.path)

    def read(self, storage: Storage, path: str) -> pa.Table:
        """Return one file's fields in their declared types and order.

        Raises:
            SourceError: it is no CSV in UTF-8, or a column is missing.
            LookupAnswerError: a value is none of its declared type; names the line.
        """
        place = f"{storage.uri}/{path}"
        texts = self._texts(storage, path, place)
        self._check(texts.column_names, place)
        columns = {name: self._column(texts, spec, place) for name, spec in self.fields.items()}
        return pa.table(columns)

    def _texts(self, storage: Storage, path: str, place: str) -> pa.Table:
        settings = self.settings
        convert = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(self.fields, pa.string()),
            null_values=[settings.null_text],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        try:
            with storage.open(path) as file:
                return pa_csv.read_csv(
                    file,
                    pa_csv.ReadOptions(use_threads=False),
                    pa_csv.ParseOptions(delimiter=settings.delimiter, newlines_in_values=True),
                    convert,
                )
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
            elif not count and (spec.required or name == self.settings.key):
                problems.append(
                    f"column {name}: it is {'the key' if name == self.settings.key else 'required'} and missing"
                )
            elif natural_type(spec.type.arrow) is None:
                problems.append(f"column {name}: {spec.type.arrow} is not read from text")
        if problems:
            listed = "\n  ".join(problems)
            where = f"lookup {self.request.name}: {place}"
            raise SourceError(f"{where} cannot be read as declared (it has {', '.join(names)}):\n  {listed}")

    def _column(self, texts: pa.Table, spec: FieldSpec, place: str) -> pa.Array:
        if spec.wire not in texts.column_names:
            return self.conformed(pa.nulls(texts.num_rows), spec, place)
        column = texts.column(spec.wire).combine_chunks()
        if pt.is_string(spec.type.arrow):
            return self.conformed(column, spec, place)
        # Each distinct text is read once.
        encoded = column.dictionary_encode()
        read = [self._value(text, column, spec, place) for text in encoded.dictionary.to_pylist()]
        values = pa.concat_arrays(read) if read else pa.nulls(0, spec.type.arrow)
        return self.conformed(values.take(encoded.indices), spec, place)

    def _value(self, text: str, column: pa.Array, spec: FieldSpec, place: str) -> pa.Array:
        try:
            return folder_column(text, spec)
        except ValueError as error:
            row = column.index(text).as_py()
            raise LookupAnswerError(
                f"lookup {self.request.name}: {place}, row {row}, column {spec.wire}: {error}, got {text[:80]!r}. "
                "Try: repair the file, or declare the column otherwise"
            ) from error


def located(uri: str) -> Files:
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
