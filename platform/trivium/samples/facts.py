"""Lookups that know what samples say, and which samples can share one lookup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa

from trivium.config.worker_spec import LookupSpec
from trivium.connectors.facts.order import values_of
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline


class FactKey(NamedTuple):
    """A key of a lookup, a tuple where it has several values. `time` is the one that the fact is wanted of, if any."""

    lookup: str
    key: Any
    time: datetime | None = None

    def __str__(self) -> str:
        return f"{self.lookup} of {self.key!r}" + (f" as of {self.time.isoformat()}" if self.time else "")


Facts = dict[FactKey, dict[str, Any] | None]
"""The row of each key by wire name; None where the lookup has none."""


def fact_keys(lookup: str, keys: pa.Array, times: pa.Array | None) -> list[FactKey]:
    """Return the keys, and times, that a lookup gets."""
    moments = [None] * len(keys) if times is None else times.to_pylist()
    return [FactKey(lookup, key, time) for key, time in zip(values_of(keys), moments, strict=True)]


class SampleLookup:
    """Answers from the facts it was given last. Does no I/O. `missed` are the keys it had no row of since then."""

    in_memory: ClassVar[bool] = True

    def __init__(self, bound: LookupSpec) -> None:
        self._name = bound.name
        self._schema = pa.schema([pa.field(spec.wire, spec.type.arrow) for spec in bound.columns])
        self.tell({})

    def tell(self, facts: Mapping[FactKey, Mapping[str, Any]]) -> None:
        """Know these rows, and nothing else."""
        self._rows = pa.RecordBatch.from_pylist(list(facts.values()), schema=self._schema)
        self._places = {key: place for place, key in enumerate(facts)}
        self.missed: list[FactKey] = []

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys."""
        return self._answer(fact_keys(self._name, keys, None))

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer distinct pairs of a key and a time."""
        return self._answer(fact_keys(self._name, keys, times))

    def _answer(self, keys: list[FactKey]) -> Answer:
        self.missed += [key for key in keys if key not in self._places]
        return Answer(self._rows, pa.array(map(self._places.get, keys), pa.int32()))


def agree(facts: Facts, key: FactKey, row: Mapping[str, Any] | None) -> bool:
    """Return whether facts say nothing else of a key than this row does; each may have columns of its own."""
    if key not in facts:
        return True
    known = facts[key]
    if known is None or row is None:
        return known is row
    return all(known[name] == row[name] for name in known.keys() & row.keys())


def add(facts: Facts, key: FactKey, row: Mapping[str, Any] | None) -> None:
    """Add what is known of a key; it agrees with what the facts say already."""
    facts[key] = None if row is None else {**(facts.get(key) or {}), **row}


def together(facts: Sequence[Facts]) -> list[list[int]]:
    """Group samples, by index, so that no two of a group need different rows of one key."""
    groups: list[tuple[Facts, list[int]]] = []
    for index, each in enumerate(facts):
        known, members = next((group for group in groups if _all_agree(group[0], each)), ({}, []))
        if not members:
            groups.append((known, members))
        for key, row in each.items():
            add(known, key, row)
        members.append(index)
    return [members for _, members in groups]


def tell(lookups: Mapping[str, SampleLookup], facts: Iterable[Facts]) -> None:
    """Let the lookups know the facts of some samples."""
    known: Facts = {}
    for each in facts:
        for key, row in each.items():
            add(known, key, row)
    for name, lookup in lookups.items():
        lookup.tell({key: row for key, row in known.items() if key.lookup == name and row is not None})


def _all_agree(known: Facts, other: Facts) -> bool:
    return all(agree(known, key, row) for key, row in other.items())
