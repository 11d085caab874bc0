"""One declared enrichment: the keys of its events, and its facts as structs or columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.contract.enrichment import Enrichment
from trivium.engine.enrichment.enriched import Enriched, aligned
from trivium.engine.enrichment.wanted import BatchKeys, joined, of_column
from trivium.engine.inputs import Inputs
from trivium.engine.lookups.answers import no_answer
from trivium.engine.lookups.fetch import Facts
from trivium.types.convert import StructBuilder, columns_of

_MOST_BUILT: Final = 100_000


class EnrichmentStep:
    """One declared enrichment bound to what the pipeline says of its lookup."""

    def __init__(self, declaration: Declaration, name: str, lookup: LookupSpec) -> None:
        self.enrichment: Enrichment = declaration.enrichments[name]
        self.name, self.key, self.lookup = name, declaration.keys[name], lookup
        self._fields = declaration.enrichment_fields[name]
        self._schema = pa.schema([spec.arrow for spec in self._fields])
        self._structs = StructBuilder(self.enrichment.row, self._fields)
        self._built: dict[int | None, Any] = {None: None}
        self._built_from: Any = None
        self._empty = pa.RecordBatch.from_pylist([], schema=self._schema)
        default = self.enrichment.default
        self._default = None if default is None else columns_of([default], self._fields)

    def wanted(self, inputs: Inputs, inner: Callable[[str, str], pa.Array]) -> BatchKeys:
        """Return the keys of the events; `inner` returns a field of another enrichment's facts as a column."""
        parts = [
            inputs.key(part.field) if part.enrichment is None else inner(part.enrichment, part.field.name)
            for part in self.key.parts
        ]
        return of_column(joined(parts, self.key), self.key, inputs)

    def enriched(self, wanted: BatchKeys, codes: pa.Int32Array, facts: Facts | None) -> Enriched:
        """Return the facts aligned with the events.

        Raises:
            RunError: the answer lacks a column.
        """
        rows = self._empty
        if facts is not None:
            try:
                columns = [facts.rows.column(spec.wire) for spec in self._fields]
                rows = pa.RecordBatch.from_arrays(columns, schema=self._schema)
            except Exception as error:
                raise no_answer(self.lookup.name, error) from error
        found = aligned(wanted, codes, facts, rows)
        if self.enrichment.missing == "reject":
            found = replace(found, keys=wanted.values)
        if self._default is None:
            return found
        return replace(found, defaulted=True)

    def structs(self, fact: Enriched) -> list[Any]:
        """Return a struct (or None) an event, a tuple of them where the key is a list; equal rows share a struct.

        Structs are kept for as long as the lookup answers with the same rows.

        Raises:
            RunError: the lookup answered with a value that its declaration does not allow.
        """
        if fact.given is not self._built_from or len(self._built) > _MOST_BUILT:
            self._built, self._built_from = {None: None}, fact.given
        index = fact.index.to_pylist()
        missing = list(set(index) - self._built.keys())
        if missing:
            rows = fact.rows.take(pa.array(missing, pa.int32()))
            try:
                self._built.update(zip(missing, self._structs.build(rows), strict=True))
            except ValueError as error:  # text that is no UTF-8, a value that is none of an enum's
                raise no_answer(self.lookup.name, error) from error
        built = list(map(self._built.__getitem__, index))
        default = fact.places_of_default()
        if default is not None:
            for place in np.flatnonzero(default).tolist():
                built[place] = self.enrichment.default
        return built if fact.offsets is None else _tuples(built, fact)

    def columns(self, fact: Enriched) -> pa.RecordBatch:
        """Return columns aligned with the events, of lists where the key is one; a missing row is null in each."""
        columns = [self._column(fact, name) for name in self._schema.names]
        if fact.offsets is None:
            schema = pa.schema([field.with_nullable(True) for field in self._schema])
            return pa.RecordBatch.from_arrays(columns, schema=schema)
        offsets = pa.array(fact.offsets, pa.int32())
        mask = None if fact.null_lists is None else pa.array(fact.null_lists)
        lists = [pa.ListArray.from_arrays(offsets, column, mask=mask) for column in columns]
        return pa.RecordBatch.from_arrays(lists, names=self._schema.names)

    def _column(self, fact: Enriched, name: str) -> pa.Array:
        column = fact.rows.column(name).take(fact.index)
        default = fact.places_of_default()
        if default is None or self._default is None:
            return column
        return pc.if_else(pa.array(default), self._default.column(name)[0], column)


def _tuples(built: list[Any], fact: Enriched) -> list[Any]:
    assert fact.offsets is not None
    bounds = fact.offsets.tolist()
    lists: list[Any] = [tuple(built[start:end]) for start, end in pairwise(bounds)]
    if fact.null_lists is not None:
        for event in np.flatnonzero(fact.null_lists).tolist():
            lists[event] = None
    return lists
