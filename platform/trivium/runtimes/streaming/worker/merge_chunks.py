"""The chunks of several partitions of one poll, merged to one batch for the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.config.model.pipeline import Routing
from trivium.connectors.kafka.fetched import Fetched
from trivium.delivery.commit.positions import source_name, topic_of
from trivium.delivery.commit.stream import OffsetRange
from trivium.engine.batch import RawBatch
from trivium.engine.decoding.packed_values import concatenate
from trivium.engine.outcomes import Outcomes

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Gathered:
    """Stretches of partitions as one batch; `codes` says which stretch each record of the batch is of."""

    parts: Sequence[Fetched]
    batch: RawBatch
    codes: Codes

    @property
    def nbytes(self) -> int:
        """Bytes of values."""
        return sum(part.nbytes for part in self.parts)

    @property
    def starts(self) -> dict[str, int]:
        """Start of each partition's first stretch."""
        return {part.partition: part.start for part in reversed(self.parts)}

    def ranges(self, outcomes: Outcomes) -> list[tuple[str, OffsetRange]]:
        """Return the stretches with what became of their records."""
        length = len(self.parts)
        emitted = _count([_distinct(each.parents) for each in outcomes.emitted.values()], self.codes, length)
        dropped = _count(list(outcomes.dropped.values()), self.codes, length)
        rows = np.array([reject.index for reject in outcomes.rejects], np.int64)
        rejected = _count([rows], self.codes, length)
        parked = _count(list(outcomes.parked.values()), self.codes, length)
        return [
            (
                part.partition,
                OffsetRange(
                    start=part.start,
                    next=part.next,
                    read=len(part.values),
                    emitted=int(emitted[at]),
                    dropped=int(dropped[at]),
                    rejected=int(rejected[at]),
                    parked=int(parked[at]),
                    newest_us=int(part.timestamps.max()) * 1000 if len(part.timestamps) else 0,
                ),
            )
            for at, part in enumerate(self.parts)
        ]


def gather(parts: Sequence[Fetched], routing: Routing, epochs: Mapping[str, int]) -> Gathered:
    """Join stretches to a batch, each record with the name of its source and, where routing says so, its event type."""
    names = [source_name(part.partition, epochs.get(topic_of(part.partition), 0)) for part in parts]
    lengths = [len(part.values) for part in parts]
    codes = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
    batch = RawBatch(
        values=concatenate([part.values for part in parts]),
        source=pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())),
        positions=np.concatenate([part.offsets for part in parts]) if parts else np.empty(0, np.int64),
        types=_types(parts, routing),
    )
    return Gathered(parts, batch, codes)


def _types(parts: Sequence[Fetched], routing: Routing) -> list[str | None] | None:
    if routing.topics is not None:
        named = ([routing.topics[topic_of(part.partition)]] * len(part.values) for part in parts)
        return list(chain.from_iterable(named))
    if routing.header is not None:
        return [_text(header) for part in parts for header in part.headers or ()]
    return None


def _text(header: bytes | None) -> str | None:
    """Return the header as text; what is no UTF-8 stays recognisable as that, and is a reject."""
    return None if header is None else header.decode("utf-8", "surrogateescape")


def _distinct(parents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each input once; rows of one input follow one another."""
    return parents[np.flatnonzero(np.diff(parents, prepend=-1))]


def _count(rows: Sequence[npt.NDArray[np.int64]], codes: Codes, length: int) -> npt.NDArray[np.int64]:
    """Count how many of these rows of the batch are of each stretch."""
    found = np.concatenate([np.empty(0, np.int64), *rows])
    counts: npt.NDArray[np.int64] = np.bincount(codes[found], minlength=length)
    return counts
