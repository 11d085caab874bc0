"""Questions of the worker to lookups, and the facts that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trivium.contract.enrichment import Hint


class KeyState(IntEnum):
    """The state of one key's answer. A stale fact has a row; a missing and an unavailable one have none."""

    HIT = 0
    MISSING = 1
    UNAVAILABLE = 2
    STALE = 3


@dataclass(frozen=True)
class Fetch:
    """Keys that a batch needs of one lookup: distinct, non-null, of the lookup's key type.

    With `times` (microseconds, UTC, one a key) the pairs are distinct, and each wants the fact that was valid then.
    `hints` are what all enrichments that need these keys allow.
    """

    lookup: str
    keys: pa.Array
    times: pa.TimestampArray | None
    hints: Hint


@dataclass(frozen=True)
class Facts:
    """The answer to a fetch: `index` (int32, one entry a key) points into `rows`, null where there is no row.

    `rows` has the lookup's declared columns under their names in the lookup, and perhaps others; a lookup that answers
    from memory gives the same object again and again. `states` has a `KeyState` a key; None says that keys without a
    row are missing and the others hits. `error` says why keys are unavailable.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array
    states: npt.NDArray[np.uint8] | None = None
    error: str = ""
