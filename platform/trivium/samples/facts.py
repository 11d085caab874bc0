"""Lookups that know what samples say, and which samples can share one lookup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from trivium.config.worker_spec import LookupSpec
from trivium.connectors.memory.keyed_rows import KeyedRows
from trivium.contract.declaration import Declaration
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline
from trivium.core.suggest import one_of
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.inputs import RowInputs
from trivium.samples.file import Sample, SampleError
from trivium.types.convert import columns_of
from trivium.types.normalise import Normaliser
from trivium.types.structs import derive

Facts = dict[tuple[str, Any], dict[str, Any] | None]
"""By lookup and key, the row by wire name; None where the lookup has none."""


class SampleLookup:
    """Answers from the facts it was given last. Does no I/O. `missed` are the keys it had no row of since then."""

    in_memory: ClassVar[bool] = True

    def __init__(self, bound: LookupSpec) -> None:
        self._schema = pa.schema([pa.field(spec.wire, spec.type.arrow) for spec in bound.columns])
        self.tell({})

    def tell(self, facts: Mapping[Any, Mapping[str, Any]]) -> None:
        """Know these rows by key, and nothing else."""
        self._rows = KeyedRows(pa.RecordBatch.from_pylist(list(facts.values()), schema=self._schema), list(facts))
        self.missed: list[Any] = []

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys."""
        self.missed += [key for key in keys.to_pylist() if key not in self._rows]
        return self._rows.answer(keys)


class FactReader:
    """Reads the facts beside an event into rows of the lookups they come from."""

    def __init__(self, declaration: Declaration, tag_field: str | None) -> None:
        self._declaration = declaration
        self._decoder = Decoder({declaration.event_type: declaration}, tag_field)
        self._types = None if tag_field else [declaration.event_type]
        self._specs = {spec.name: spec for spec in declaration.event_fields}

    def read(self, sample: Sample) -> Facts:
        """Return the sample's facts by lookup and key; none where the event cannot be decoded or its keys are null.

        Raises:
            SampleError: an unknown enrichment, a fact that is no such row, or two answers to one question.
        """
        return self.read_stated(sample)[0]

    def read_stated(self, sample: Sample) -> tuple[Facts, set[tuple[str, Any]]]:
        """Return the facts, and of which lookups and keys the sample itself says them, be it that there is no row.

        Raises:
            SampleError: as `read`.
        """
        enrichments = self._declaration.enrichments
        for name in sample.facts:
            if name not in enrichments:
                message = f"the executor has no enrichment {name}"
                raise SampleError(sample.line, f"{message} ({one_of(name, enrichments) or 'it declares none'})")
        _, events = self._decoder.decode([sample.event], self._types).events.get(self._declaration.event_type, ([], []))
        facts: Facts = {}
        stated: set[tuple[str, Any]] = set()
        for name, enrichment in enrichments.items() if events else ():
            row = self._row(sample, name)
            inputs = RowInputs(np.arange(1), events)
            key = inputs.key(self._specs[enrichment.key]).to_pylist()[0]
            if key is None and row is not None:
                raise SampleError(sample.line, f"enrichment {name} has a row, but the event's {enrichment.key} is null")
            if key is not None and not _agree(facts, {(enrichment.lookup, key): row}):
                message = f"enrichment {name} asks {enrichment.lookup} for {key!r}, which answers another one otherwise"
                raise SampleError(sample.line, message)
            if key is not None:
                facts[(enrichment.lookup, key)] = row
                stated.update({(enrichment.lookup, key)} if name in sample.facts else ())
        return facts, stated

    def _row(self, sample: Sample, name: str) -> dict[str, Any] | None:
        text = sample.facts.get(name, b"null")
        if text.strip() == b"null":
            return None
        try:
            fields = self._declaration.enrichment_fields[name]
            row = msgspec.json.decode(text, type=derive(self._declaration.enrichments[name].row, fields))
            Normaliser(fields)(row)
            values = columns_of([row], fields).to_pylist()[0]
        except (msgspec.MsgspecError, ValueError, TypeError, pa.ArrowException) as error:
            raise SampleError(sample.line, f"enrichment {name}: {error}") from error
        return {spec.wire: values[spec.name] for spec in fields}


def together(facts: Sequence[Facts]) -> list[list[int]]:
    """Group samples, by index, so that no two of a group need different rows of one key."""
    groups: list[tuple[Facts, list[int]]] = []
    for index, each in enumerate(facts):
        known, members = next((group for group in groups if _agree(group[0], each)), ({}, []))
        if not members:
            groups.append((known, members))
        known.update(each)
        members.append(index)
    return [members for _, members in groups]


def tell(lookups: Mapping[str, SampleLookup], facts: Iterable[Facts]) -> None:
    """Let the lookups know the facts of some samples."""
    rows: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in lookups}
    for each in facts:
        for (name, key), row in each.items():
            if row is not None:
                rows[name][key] = row
    for name, lookup in lookups.items():
        lookup.tell(rows[name])


def _agree(known: Facts, other: Facts) -> bool:
    return all(known[key] == row for key, row in other.items() if key in known)
