"""Columns of a lookup's files: those that enrichments declare, those of the key, and those of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from trivium.config.model.file_lookups import FactsLookup
from trivium.connectors.facts.build import ALWAYS, Validity, microseconds
from trivium.contract.lookup import LookupRequest
from trivium.core.errors import LookupAnswerError
from trivium.types.rows import spec_of_arrow
from trivium.types.spec import UTC_MICROSECONDS, FieldSpec

_DAY: Final = spec_of_arrow(pa.date32())


@dataclass(frozen=True)
class FactColumns:
    """The columns that are read of a lookup's files, by their names there.

    `key` are the key's columns by place. `since` and `until` are those of times, where they are named; `own_times` are
    those among them that no enrichment declares, of which days are taken as well as times.
    """

    lookup: str
    fields: dict[str, FieldSpec]
    key: tuple[str, ...]
    since: str | None
    until: str | None
    own_times: frozenset[str]
    timed: bool

    @property
    def kept(self) -> list[str]:
        """The columns that answers have."""
        return [name for name in self.fields if name not in self.own_times]

    def spec_for(self, name: str, arrow: pa.DataType) -> FieldSpec:
        """Return how a file's column of a type is read."""
        spec = self.fields[name]
        if name in self.own_times and pt.is_date(arrow):
            return FieldSpec(name, name, _DAY, nullable=True, required=False)
        return spec

    def needed(self, name: str) -> str | None:
        """Return the use for which each file has to have a column; None where its absence means nulls."""
        if name in self.key:
            return "the key" if len(self.key) == 1 else "of the key"
        return "of times" if name in (self.since, self.until) else None

    def described(self) -> list[str]:
        """Return texts that differ where rows of the same files would."""
        return [
            f"{name}: {spec.type.declared}, {spec.nullable}, {spec.required}, {spec.default!r}"
            for name, spec in self.fields.items()
        ]

    def none(self) -> pa.Table:
        """Return the columns without a row."""
        return pa.schema([pa.field(name, spec.type.arrow) for name, spec in self.fields.items()]).empty_table()

    def uniform(self, rows: pa.Table) -> pa.Table:
        """Return rows whose times of their own are times, where a file has days."""
        for name in self.own_times:
            if pt.is_date(rows.schema.field(name).type):
                times = rows.column(name).cast(pa.timestamp("us")).cast(UTC_MICROSECONDS)
                rows = rows.set_column(rows.column_names.index(name), name, times)
        return rows

    def validity(self, rows: pa.RecordBatch) -> Validity | None:
        """Return the times of rows; None where they have none."""
        if self.since is None:
            return None
        until = None if self.until is None else microseconds(rows.column(self.until), ALWAYS[1])
        return Validity(microseconds(rows.column(self.since), ALWAYS[0]), until)

    def untimed(self) -> LookupAnswerError:
        """Return the error of asking for the facts of a time where rows have none."""
        return LookupAnswerError(
            f"lookup {self.lookup}: an enrichment asks for facts as of a time, and its rows have none. "
            "Try: name the columns between which rows are valid in valid_from and valid_to"
        )


def fact_columns(settings: FactsLookup, request: LookupRequest) -> FactColumns:
    """Return what is read of the files of a lookup.

    Raises:
        LookupAnswerError: the key has other fields than `key` has columns; facts as of a time are wanted and rows
            have no times, or what should be a time is none.
    """
    fields = {spec.wire: spec for spec in request.fields}
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    for name, kind in zip(key, _key_types(request, key), strict=True):
        fields.setdefault(name, FieldSpec(name, name, spec_of_arrow(kind), nullable=True, required=False))
    own = set()
    for name in filter(None, (settings.valid_from, settings.valid_to)):
        if name not in fields:
            own.add(name)
            fields[name] = FieldSpec(name, name, spec_of_arrow(UTC_MICROSECONDS), nullable=True, required=False)
        elif not (pt.is_timestamp(kind := fields[name].type.arrow) or pt.is_date(kind)):
            raise LookupAnswerError(
                f"lookup {request.name}: expected times or days in the column {name}, which says since or until when "
                f"rows are valid, got {kind} as an enrichment declares it. Try: another column"
            )
    timed = settings.timed
    columns = FactColumns(request.name, fields, key, settings.valid_from, settings.valid_to, frozenset(own), timed)
    if request.as_of and not timed:
        raise columns.untimed()
    return columns


def _key_types(request: LookupRequest, key: tuple[str, ...]) -> list[pa.DataType]:
    kind = request.key_type
    fields = [field.type for field in kind] if pt.is_struct(kind) else [kind]
    if len(fields) != len(key):
        raise LookupAnswerError(
            f"lookup {request.name}: expected as many key columns as the enrichments' keys have fields, {len(fields)}, "
            f"got {len(key)} ({', '.join(key)}). Try: name one column for each field in key, in their order"
        )
    return fields
