"""Differences between the files of a source and what is declared: problems, and notes for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from trivium.connectors.archive.columns import FileColumns, SourceColumns
from trivium.connectors.archive.listing import named
from trivium.connectors.archive.units import SourceFile
from trivium.core.suggest import did_you_mean
from trivium.types.spec import FieldSpec


@dataclass
class _Field:
    """A declared field: the files that may hold its events, and those among them that lack it."""

    spec: FieldSpec
    files: int = 0
    without: list[str] = field(default_factory=list)


class SourceFindings:
    """Gathers, file by file, what is read of a source. Files without rows say nothing."""

    def __init__(self, columns: SourceColumns) -> None:
        self._columns = columns
        self._known: dict[tuple[pa.Schema, tuple[str, ...]], FileColumns] = {}
        self._fields: dict[str, _Field] = {}
        self._names: set[str] = set()
        self._both: dict[str, list[str]] = {}

    def add(self, file: SourceFile) -> list[str]:
        """Take a file in; returns why it cannot be read as declared, one sentence a column."""
        if not file.rows:
            return []
        path, schema = file.file.path, file.schema.remove_metadata()
        key = schema, tuple(part for part in path.split("/")[:-1] if "=" in part)
        if key not in self._known:
            self._known[key] = self._columns.of(path, schema)
        found = self._known[key]
        self._names.update(schema.names, found.folders)
        for name in found.both:
            self._both.setdefault(name, []).append(path)
        there = {*found.own, *found.folders}
        for event_type, declaration in found.declarations.items() if self._columns.typed else ():
            for spec in declaration.event_fields:
                each = self._fields.setdefault(f"{event_type}.{spec.name}", _Field(spec))
                each.files += 1
                if spec.wire not in there:
                    each.without.append(path)
        return list(found.problems)

    def notes(self) -> list[str]:
        """Return sentences on fields that files lack, and on columns that are there twice."""
        return [*self._missing(), *self._doubled()]

    def _missing(self) -> Iterator[str]:
        wanted = {each.spec.wire for each in self._fields.values()}
        spare = sorted(name for name in self._names - wanted if not name.startswith("__index_level_"))
        for label, each in self._fields.items():
            wire, default = each.spec.wire, _default(each.spec)
            if len(each.without) == each.files:
                hint = did_you_mean(wire, spare)
                yield f"no file has the column {wire} ({label}): it is {default} in every event{hint and '; ' + hint}"
            elif each.without:
                lacking = f"{len(each.without):,} of {each.files:,} files lack the column {wire} ({label})"
                yield f"{lacking}, where it is {default}: {named(each.without)}"

    def _doubled(self) -> Iterator[str]:
        for name, paths in self._both.items():
            places = f"is in files and in their folders' names: {named(paths)}"
            yield f"the column {name} {places}; the files' values are read"


def _default(spec: FieldSpec) -> str:
    return "null" if spec.default is None else f"its default, {spec.default!r},"
