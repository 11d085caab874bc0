"""What parity is tried on: the project's samples, records of the archive, records made up from the declared types."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import pyarrow.parquet as pq

from trivium.config.pipeline import Pipeline
from trivium.config.regular_file import read_regular
from trivium.connectors.parquet_files import locate
from trivium.operations.edge_cases import examples, records
from trivium.operations.errors import ArgumentError
from trivium.operations.sample_file import read_samples

SAMPLES = "samples.jsonl"

MOST_BYTES: Final = 1 << 30
"""Of a file of records, which is read whole."""


@dataclass(frozen=True)
class Wanted:
    """What to take: `sample` records of the archive (None: every one), `made_up` ones of each type; `file` instead."""

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
        """Whether a request can carry it: a body that starts as a list and is none is no event over HTTP."""
        if not self.value.lstrip(b" \t\r\n").startswith(b"["):
            return True
        try:
            msgspec.json.decode(self.value, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        return True


def inputs_of(pipeline: Pipeline, wanted: Wanted) -> list[Input]:
    """The inputs, the same for the same seed.

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
        raise ArgumentError(f"no record in {wanted.file or 'samples, archive and declared types'} to compare roads on")
    return found


def _of_file(file: Path) -> Iterator[Input]:
    for number, line in enumerate(read_regular(file, MOST_BYTES).splitlines(), 1):
        if line:
            yield Input(line, f"{file.name}:{number}")


def _samples(pipeline: Pipeline) -> Iterator[Input]:
    for name, bound in pipeline.executors.items():
        file = Path(bound.declaration.file)
        path = (pipeline.root / file).with_name(SAMPLES)
        if path.is_file():
            named = _named(pipeline, name)
            yield from (Input(each.event, f"{name}/{SAMPLES}:{each.line}", named) for each in read_samples(path)[0])


def _named(pipeline: Pipeline, event_type: str) -> str | None:
    """What is said of the event's type beside the event."""
    return None if pipeline.config.routing.by_body else event_type


def _archive(pipeline: Pipeline, wanted: Wanted) -> Iterator[Input]:
    """Records of a raw archive, spread over its files, or all of them."""
    batch = pipeline.config.batch
    if batch is None or batch.source.value_column is None or wanted.sample == 0:
        return
    value_column, type_column = batch.source.value_column, batch.source.type_column
    storage, files = locate(batch.source.path)
    chance = random.Random(wanted.seed)
    chosen = files if wanted.sample is None else chance.sample(files, min(len(files), 8))
    for file in chosen:
        with storage.open(file.path) as opened:
            table = pq.ParquetFile(opened).read(columns=list(filter(None, (value_column, type_column))))
        values = table[value_column].to_pylist()
        types = table[type_column].to_pylist() if type_column else [None] * len(values)
        most = len(values) if wanted.sample is None else min(len(values), -(-wanted.sample // len(chosen)))
        for at in sorted(chance.sample(range(len(values)), most)):
            if values[at] is not None:
                yield Input(values[at], f"{file.path}:{at}", types[at])


def _made_up(pipeline: Pipeline, wanted: Wanted) -> Iterator[Input]:
    if wanted.made_up and find_spec("hypothesis") is None:
        message = "records are made up with the package hypothesis, which is not installed"
        raise ArgumentError(f'{message}. Try: pip install "trivium[testing]", or --input FILE')
    for name, bound in pipeline.executors.items():
        routing, named = pipeline.config.routing, _named(pipeline, name)
        field = routing.field if routing.by_body else None
        made = examples(records(bound.declaration, field), wanted.made_up) if wanted.made_up else []
        yield from (Input(value, f"made up, {name} {number}", named) for number, value in enumerate(made))


def _odd(pipeline: Pipeline) -> Iterator[Input]:
    """Records that are wrong in the ways records are."""
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
