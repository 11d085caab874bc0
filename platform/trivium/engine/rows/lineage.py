"""The lineage columns of rows: where each came from and what it was made under.

Their names, types and meaning as columns of the table are in `trivium.delivery.files.lineage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.engine.batch import Source, constant
from trivium.types.spec import UTC_MICROSECONDS

Parents = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """The lineage that all rows of one event type share, whatever batch they are of."""

    event_type: str
    logic: str
    plan: str
    executor: str


@dataclass(frozen=True)
class Places:
    """The places of some rows of one batch: `parents` are its inputs, ascending, and `positions` theirs in `source`.

    `source` names one source for all rows, or one for each input of the batch. `ingested_at_us` is one moment for all
    rows or one a row, `enrichments` one text a row.
    """

    parents: Parents
    source: Source
    positions: npt.NDArray[np.int64]
    ingested_at_us: int | npt.NDArray[np.int64]
    enrichments: pa.Array | None


def lineage_columns(origin: Origin, places: Sequence[Places]) -> dict[str, pa.Array]:
    """Make the lineage columns of rows of several batches, one after the other; `_runtime` is the writer's to add."""
    lengths = [len(each.parents) for each in places]
    length = sum(lengths)
    moments = _moments(places, lengths)
    return {
        "_event_type": constant(origin.event_type, length),
        "_logic": constant(origin.logic, length),
        "_plan": constant(origin.plan, length),
        "_executor": constant(origin.executor, length),
        "_source": _sources(places, lengths),
        "_position": pa.array(np.concatenate([each.positions for each in places])),
        "_row": pa.array(np.concatenate([row_numbers(each.parents) for each in places])),
        "_ingested_at": pa.array(moments).view(UTC_MICROSECONDS),
        "_enrichments": _texts([each.enrichments for each in places], lengths),
    }


def _moments(places: Sequence[Places], lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    if all(isinstance(each.ingested_at_us, int) for each in places):
        return np.repeat(np.array([each.ingested_at_us for each in places], np.int64), lengths)
    pairs = zip(places, lengths, strict=True)
    return np.concatenate([np.broadcast_to(each.ingested_at_us, length) for each, length in pairs]).astype(np.int64)


def _sources(places: Sequence[Places], lengths: Sequence[int]) -> pa.DictionaryArray:
    codes: list[npt.NDArray[np.int32]] = []
    names: dict[str, int] = {}
    for each, length in zip(places, lengths, strict=True):
        if isinstance(each.source, str):
            codes.append(np.full(length, names.setdefault(each.source, len(names)), np.int32))
        else:
            own = [names.setdefault(name, len(names)) for name in each.source.dictionary.to_pylist()]
            codes.append(np.array(own, np.int32)[np.asarray(each.source.indices)[each.parents]])
    return pa.DictionaryArray.from_arrays(pa.array(np.concatenate(codes)), pa.array(list(names), pa.string()))


def _texts(parts: Sequence[pa.Array | None], lengths: Sequence[int]) -> pa.Array:
    if all(part is None for part in parts):
        return pa.nulls(sum(lengths), pa.string())
    pairs = zip(parts, lengths, strict=True)
    return pa.concat_arrays([pa.nulls(length, pa.string()) if part is None else part for part, length in pairs])


def row_numbers(parents: Parents) -> npt.NDArray[np.int32]:
    """Number each row among its input's rows; rows of one input follow one another."""
    starts = np.flatnonzero(parents[1:] != parents[:-1]) + 1
    if len(starts) + 1 == len(parents):  # one row an input, as most executors make them
        return np.zeros(len(parents), np.int32)
    edges = np.concatenate(([0], starts, [len(parents)]))
    numbers: npt.NDArray[np.int32] = np.arange(len(parents), dtype=np.int32)
    return numbers - np.repeat(edges[:-1], np.diff(edges)).astype(np.int32)


def count_distinct(parents: Parents) -> int:
    """Count the inputs rows came from; rows of one input follow one another."""
    return int(np.count_nonzero(parents[1:] != parents[:-1])) + (len(parents) > 0)
