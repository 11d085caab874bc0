"""Events of a pipeline's batch source, picked at random, as JSON."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source
from trivium.contract.declaration import Declaration
from trivium.engine.batch import Batch, RawBatch
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.decoding.typed_columns import route
from trivium.samples.json_text import json_object
from trivium.types.convert import StructBuilder

_FILES: Final = 8
_SLICES: Final = 4
"""Slices, of some 64 MB each, that are read of a file."""


def source_events(pipeline: Pipeline, event_types: Collection[str], most: int, seed: int = 0) -> dict[str, list[bytes]]:
    """Return up to `most` events of each of these types, from some files of the batch source; none without a source.

    The same are picked for the same seed. What cannot be decoded is passed over.

    Raises:
        SourceError: the source cannot be read.
    """
    batch = pipeline.config.batch
    picked: dict[str, list[bytes]] = {name: [] for name in event_types}
    if batch is None or not most:
        return picked
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    reader = open_source(batch.source, declarations, pipeline.config.type_column)
    chance = random.Random(seed)
    files = reader.archive.listing().files
    chosen = chance.sample(files, min(len(files), _FILES))
    spare: dict[str, list[bytes]] = {name: [] for name in event_types}
    share = -(-most // max(1, len(chosen)))
    events = _Events(pipeline, declarations, event_types)
    for file in reader.archive.describe(chosen, None):
        reader.check([file])
        left = dict.fromkeys(event_types, share)
        for part in islice(reader.batches(file.whole()), _SLICES):
            for name, found in events.of(part.batch, chance, most):
                taken = min(left[name], len(found))
                picked[name] += found[:taken]
                spare[name] = (spare[name] + found[taken:])[:most]
                left[name] -= taken
            if not any(left.values()):
                break
    return {name: (found + spare[name])[:most] for name, found in picked.items()}


class _Events:
    """Reads the events of some types out of batches, as JSON that says their type where the pipeline reads it there."""

    def __init__(self, pipeline: Pipeline, declarations: dict[str, Declaration], event_types: Collection[str]) -> None:
        self._routing, self._type_column = pipeline.config.routing, pipeline.config.type_column
        self._tag_field = pipeline.worker_spec.routing.tag_field
        self._declarations, self._event_types = declarations, event_types
        self._decoder = Decoder(declarations, self._tag_field)

    def of(self, batch: Batch, chance: random.Random, most: int) -> Iterator[tuple[str, list[bytes]]]:
        """Yield types and up to `most` of their events."""
        if isinstance(batch, RawBatch):
            events = self._decoder.decode(batch.values, batch.types).events
            for name in [each for each in self._event_types if each in events]:
                rows = [int(row) for row in events[name][0]]
                yield name, [self._raw(batch, row, name) for row in _some(rows, chance, most)]
            return
        routed = route(batch, self._declarations, self._type_column).events
        for name in [each for each in self._event_types if each in routed]:
            columns = routed[name][1]
            some = columns.take(_some(range(columns.num_rows), chance, most))
            declaration = self._declarations[name]
            structs = StructBuilder(declaration.event, declaration.event_fields).build(some)
            yield name, [self._typed(each, declaration) for each in structs]

    def _raw(self, batch: RawBatch, row: int, event_type: str) -> bytes:
        value = batch.values[row]
        assert value is not None
        named = self._tag_field is not None and batch.types is not None
        return tagged(value, self._routing.field, event_type) if named else bytes(value)

    def _typed(self, event: Any, declaration: Declaration) -> bytes:
        tag = {} if self._tag_field is None else {self._tag_field: declaration.event_type}
        return msgspec.json.encode(tag | json_object(event, declaration.event_fields))


def tagged(value: bytes, field: str, event_type: str | None) -> bytes:
    """Return a record with the type that its source names beside it, for readers that find it in the body."""
    try:
        found = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        found.pop(field, None)
        tag = {} if event_type is None else {field: msgspec.Raw(msgspec.json.encode(event_type))}
        return msgspec.json.encode(found | tag)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value


def _some(rows: Sequence[int], chance: random.Random, most: int) -> list[int]:
    return sorted(chance.sample(rows, min(len(rows), most)))
