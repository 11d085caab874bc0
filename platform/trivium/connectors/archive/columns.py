"""The columns that are read of a source's files: from the file itself, or from the names of its folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from trivium.connectors.archive.hive_folders import folder_texts, natural_type, read_text
from trivium.connectors.archive.plain_columns import plain_type
from trivium.contract.declaration import Declaration
from trivium.contract.source import SourceSettings
from trivium.engine.decoding.typed_columns import columns_read, schema_problems
from trivium.types.column_types import is_bytes, is_text
from trivium.types.conform import conform
from trivium.types.spec import FieldSpec

_TAG: Final = pa.string()


@dataclass(frozen=True)
class FileColumns:
    """Columns that are read of one file: columns of its own, and one value each of columns that its folders name.

    `declarations` are those of the event types that the file may hold; `both` are columns that file and folders have.
    """

    own: tuple[str, ...]
    folders: Mapping[str, pa.Array]
    declarations: Mapping[str, Declaration]
    both: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


class SourceColumns:
    """Finds the columns of a source's files. `tag_field` is the one that names event types, None where none does.

    `uri` is the location whose folders, and those below it, name columns too; None of a source without folders.
    """

    def __init__(
        self, source: SourceSettings, uri: str | None, declarations: Mapping[str, Declaration], tag_field: str | None
    ) -> None:
        self._source, self._uri, self._declarations, self._tag_field = source, uri, declarations, tag_field
        self._raw = [name for name in (source.record_column, source.type_column) if name]

    @property
    def typed(self) -> bool:
        """True where events are columns, and not records in one column."""
        return self._source.record_column is None

    def wanted(self) -> tuple[str, ...]:
        """Return the columns that are read, as far as they are there."""
        return tuple(columns_read(self._declarations, self._tag_field) if self.typed else self._raw)

    def of(self, path: str, schema: pa.Schema) -> FileColumns:
        """Return the columns of a file, with whatever keeps them from being read as declared.

        Raises:
            SourceError: the folders' names contradict one another or are no text.
        """
        texts = {} if self._uri is None else folder_texts(self._uri, path)
        if not self.typed:
            return self._of_raw(texts, schema)
        return self._of_typed(texts, schema)

    def _of_raw(self, texts: Mapping[str, str | None], schema: pa.Schema) -> FileColumns:
        own = [name for name in self._raw if name in schema.names]
        type_column = self._source.type_column
        folders: dict[str, pa.Array] = {}
        if type_column is not None and type_column in texts and type_column not in own:
            folders[type_column] = read_text(texts[type_column], _TAG)
        problems = list(_repeated(schema, own))
        for key, name in (("value_column", self._source.record_column), ("type_column", type_column)):
            if name is not None and name not in folders and not problems:
                problems += _raw_problems(schema, key, name)
        both = tuple(name for name in own if name in texts)
        return FileColumns(tuple(own), folders, self._declarations, both, tuple(problems))

    def _of_typed(self, texts: Mapping[str, str | None], schema: pa.Schema) -> FileColumns:
        declarations = self._held(texts, schema)
        wanted = columns_read(declarations, self._tag_field)
        own = [name for name in wanted if name in schema.names]
        folders, problems = self._folders(texts, [name for name in wanted if name not in own], declarations)
        problems += _repeated(schema, own)
        if not problems:
            fields = [pa.field(name, plain_type(schema.field(name).type)) for name in own]
            fields += [pa.field(name, value.type) for name, value in folders.items()]
            problems += schema_problems(pa.schema(fields), declarations, self._tag_field, self._source.zone)
        if not problems:
            problems += self._value_problems(texts, folders, declarations)
        both = tuple(name for name in own if name in texts)
        return FileColumns(tuple(own), folders, declarations, both, tuple(problems))

    def _held(self, texts: Mapping[str, str | None], schema: pa.Schema) -> Mapping[str, Declaration]:
        """Return the declarations of the event types that a file may hold: of one where source or folder names it."""
        only = self._source.event_type
        if self._tag_field is not None and self._tag_field not in schema.names and self._tag_field in texts:
            only = texts[self._tag_field] or ""
        return {name: each for name, each in self._declarations.items() if only in (None, name)}

    def _folders(
        self, texts: Mapping[str, str | None], names: Sequence[str], declarations: Mapping[str, Declaration]
    ) -> tuple[dict[str, pa.Array], list[str]]:
        """Return the values that folders give for these columns, and the problems of reading them."""
        found, problems = {}, []
        for name in (each for each in names if each in texts):
            text = texts[name]
            kinds = {} if name == self._tag_field else _kinds(name, declarations)
            natural = next(iter(kinds.values()), _TAG)
            if natural is None or len(set(kinds.values())) > 1:
                problems.append(f"folder {name}={text}: {_unreadable(kinds)}")
                continue
            try:
                found[name] = read_text(text, natural)
            except ValueError as error:
                problems.append(f"folder {name}={text} ({next(iter(kinds))}): {error}, got {text!r}")
        return found, problems

    def _value_problems(
        self, texts: Mapping[str, str | None], folders: Mapping[str, pa.Array], declarations: Mapping[str, Declaration]
    ) -> Iterator[str]:
        for label, spec in _specs(declarations):
            if spec.wire in folders and texts[spec.wire] is not None:
                for _, reason in conform(folders[spec.wire], spec, self._source.zone).flaws:
                    yield f"folder {spec.wire}={texts[spec.wire]} ({label}): {reason}"


def _specs(declarations: Mapping[str, Declaration]) -> Iterator[tuple[str, FieldSpec]]:
    for name, declaration in declarations.items():
        for spec in declaration.event_fields:
            yield f"{name}.{spec.name}", spec


def _kinds(column: str, declarations: Mapping[str, Declaration]) -> dict[str, pa.DataType | None]:
    """Return the types in which a folder's text is read for the fields that take it, by field."""
    return {label: natural_type(spec.type.arrow) for label, spec in _specs(declarations) if spec.wire == column}


def _unreadable(kinds: Mapping[str, pa.DataType | None]) -> str:
    for label, kind in kinds.items():
        if kind is None:
            return f"{label} is of a type that no folder's name can hold; declare it as text, or leave it out"
    read = " and ".join(f"{label} as {kind}" for label, kind in kinds.items())
    return f"a folder's column has one type, and it is declared as several: {read}"


def _repeated(schema: pa.Schema, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if (count := schema.names.count(name)) > 1:
            yield f"column {name}: the file has {count} columns of this name. Try: write it again with one"


def _raw_problems(schema: pa.Schema, key: str, name: str) -> Iterator[str]:
    if name not in schema.names:
        or_folder = ", in folders' names too" if key == "type_column" else ""
        yield f"column {name}: {key} names it and it is missing{or_folder}; there is {', '.join(schema.names)}"
        return
    found = schema.field(name).type
    plain = plain_type(found)
    if not is_text(plain) and not is_bytes(plain):
        yield f"column {name}: expected bytes or text, got {found}"
