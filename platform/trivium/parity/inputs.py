"""Inputs of a comparison: the project's samples, records of the archive, records made up from the declared types."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_source
from trivium.core.regular_file import read_regular
from trivium.engine.batch import Batch, Positions, RawBatch
from trivium.operations.errors import ArgumentError
from trivium.samples.edge_cases import examples, records
from trivium.samples.file import own, read_samples
from trivium.samples.source_events import tagged

SAMPLES = "samples.jsonl"
_FILES: Final = 8

MOST_BYTES: Final = 1 << 30
"""Of a file of records, which is read whole."""


@dataclass(frozen=True)
class InputSpec:
    """Choice of inputs: `sample` records of the archive (None: all), `made_up` ones of each type; or a `file`."""

    sample: int | None = 200
    made_up: int = 25
    file: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Input:
    """One record, and where it is from. `event_type` is what a header or topic says, if the pipeline routes by one."""

    value: bytes
    origin: str
    event_type: str | None = None

    @property
    def askable(self) -> bool:
        """True if a request can carry it: a body that only begins like a list is no event over HTTP."""
        if not self.value.lstrip(b" \t\r\n").startswith(b"["):
            return True
        try:
            msgspec.json.decode(self.value, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        return True


def inputs_of(pipeline: Pipeline, wanted: InputSpec) -> list[Input]:
    """Return the inputs, the same for the same seed.

    Raises:
        ArgumentError: there is none, or a file of lines is given for a pipeline that routes by header or topic.
    """
    if wanted.file and not pipeline.config.routing.by_body:
        message = "lines of a file do not say their event type, and a header or topic says it in this pipeline"
        raise ArgumentError(f"{message}. Try: without --input, the samples and the archive")
    found = (
        list(_of_file(wanted.file))
        if wanted.file
        else [*_samples(pipeline), *_archive(pipeline, wanted), *_odd(pipeline), *_made_up(pipeline, wanted)]
    )
    if not found:
        raise ArgumentError(
            f"no record in {wanted.file or 'samples, archive and declared types'} to compare runtimes on"
        )
    return found


def _of_file(file: Path) -> Iterator[Input]:
    for number, line in enumerate(read_regular(file, MOST_BYTES).splitlines(), 1):
        if line:
            yield Input(line, f"{file.name}:{number}")


def _samples(pipeline: Pipeline) -> Iterator[Input]:
    tag_field = pipeline.worker_spec.routing.tag_field
    for name, bound in pipeline.executors.items():
        file = Path(bound.declaration.file)
        path = (pipeline.root / file).with_name(SAMPLES)
        if path.is_file():
            named, samples = _named(pipeline, name), own(read_samples(path)[0], bound.declaration, tag_field)
            yield from (Input(each.event, f"{name}/{SAMPLES}:{each.line}", named) for each in samples)


def _named(pipeline: Pipeline, event_type: str) -> str | None:
    """Return what is said of the event's type beside the event."""
    return None if pipeline.config.routing.by_body else event_type


def _archive(pipeline: Pipeline, wanted: InputSpec) -> Iterator[Input]:
    """Return records of a raw archive, spread over its files, or all of them."""
    batch = pipeline.config.batch
    if batch is None or batch.source.record_column is None or wanted.sample == 0:
        return
    declarations = {name: bound.declaration for name, bound in pipeline.executors.items()}
    reader = open_source(batch.source, declarations, pipeline.config.type_column)
    listing = reader.archive.listing()
    chance = random.Random(wanted.seed)
    chosen = listing.files if wanted.sample is None else chance.sample(listing.files, min(len(listing.files), _FILES))
    files = reader.archive.describe(chosen, None)
    reader.check(files)
    for each in files:
        most = each.rows if wanted.sample is None else min(each.rows, -(-wanted.sample // len(chosen)))
        places = np.sort(np.array(chance.sample(range(each.rows), most), np.int64))
        for part in reader.batches(each.whole()):
            yield from _chosen(pipeline, each.file.path, part.batch, places)


def _chosen(pipeline: Pipeline, path: str, batch: Batch, places: Positions) -> Iterator[Input]:
    """Return those records of a batch that stand at `places` of its file and have a value."""
    assert isinstance(batch, RawBatch)
    for at in np.flatnonzero(np.isin(batch.positions, places)).tolist():
        value, event_type = batch.values[at], batch.types[at] if batch.types is not None else None
        if value is None:
            continue
        if pipeline.config.routing.by_body and batch.types is not None:
            value, event_type = tagged(value, pipeline.config.routing.field, event_type), None
        yield Input(value, f"{path}:{batch.positions[at]}", event_type)


def _made_up(pipeline: Pipeline, wanted: InputSpec) -> Iterator[Input]:
    if wanted.made_up and find_spec("hypothesis") is None:
        message = "records are made up with the package hypothesis, which is not installed"
        raise ArgumentError(f'{message}. Try: pip install "trivium[testing]", or --input FILE')
    for name, bound in pipeline.executors.items():
        routing, named = pipeline.config.routing, _named(pipeline, name)
        field = routing.field if routing.by_body else None
        made = examples(records(bound.declaration, field), wanted.made_up) if wanted.made_up else []
        yield from (Input(value, f"made up, {name} {number}", named) for number, value in enumerate(made))


def _odd(pipeline: Pipeline) -> Iterator[Input]:
    """Yield records that are wrong in common ways."""
    tag = msgspec.json.encode(pipeline.config.routing.field)
    types = [msgspec.json.encode(name) for name in pipeline.executors]
    odd = {
        "nothing": b"",
        "null": b"null",
        "a number": b"1e5",
        "text": b'"event"',
        "no JSON": b"{event}",
        "cut off": b"{" + tag + b":" + types[0],
        "trailing bytes": b"{" + tag + b":" + types[0] + b"} {}",
        "a byte order mark": b"\xef\xbb\xbf{}",
        "no tag": b"{}",
        "a null tag": b"{" + tag + b":null}",
        "a tag of a number": b"{" + tag + b":1}",
        "a tag nobody declared": b"{" + tag + b':"nobody declared this"}',
        "a lone surrogate in the tag": b"{" + tag + b':"\\ud800"}',
        "invalid UTF-8 in the tag": b"{" + tag + b':"\xff"}',
        "the tag twice": b"{" + tag + b':"x",' + tag + b":" + types[0] + b"}",
        "nested too deep": b'{"deep":' + b"[" * 100 + b"]" * 100 + b"," + tag + b":" + types[0] + b"}",
        **{f"only the tag, {name.decode()}": b"{" + tag + b":" + name + b"}" for name in types},
    }
    first = _named(pipeline, next(iter(pipeline.executors)))
    yield from (Input(value, f"odd: {name}", first) for name, value in odd.items())
    if first is not None:
        yield Input(b"{}", "odd: no type beside the event")
        yield Input(b"{}", "odd: a type nobody declared beside the event", "nobody declared this")
