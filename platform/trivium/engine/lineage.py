"""The lineage columns of rows: where each came from and what it was made under.

Their names, types and meaning as columns of the table are in `trivium.delivery.files.lineage`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.engine.batch import constant
from trivium.types.spec import UTC_MICROSECONDS


@dataclass(frozen=True)
class Origin:
    """The lineage that all rows of one batch and event type share."""

    event_type: str
    logic: str
    plan: str
    ingested_at_us: int


def lineage_columns(
    origin: Origin,
    source: pa.DictionaryArray,
    positions: npt.NDArray[np.int64],
    row_numbers: npt.NDArray[np.int32],
    enrichments: pa.Array | None,
) -> dict[str, pa.Array]:
    """Make the lineage columns of rows made from the inputs at `positions`; `_runtime` is the writer's to add."""
    length = len(positions)
    columns: dict[str, Any] = {
        "_event_type": constant(origin.event_type, length),
        "_logic": constant(origin.logic, length),
        "_plan": constant(origin.plan, length),
        "_source": source,
        "_position": pa.array(positions),
        "_row": pa.array(row_numbers),
        "_ingested_at": pa.repeat(pa.scalar(origin.ingested_at_us, UTC_MICROSECONDS), length),
        "_enrichments": pa.nulls(length, pa.string()) if enrichments is None else enrichments,
    }
    return columns


def event_date(event_time: pa.Array) -> pa.Array:
    """Return the UTC date of each event time."""
    return pc.cast(event_time, pa.date32(), safe=False)
