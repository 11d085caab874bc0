"""What answers an enrichment: many keys in, at most one row a key out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from trivium.core.clock import Deadline


@dataclass(frozen=True)
class Answer:
    """The answer to a list of keys.

    `rows` holds found rows, in any order and with any others beside them; `index` (int32, one entry a key) says which
    row answers a key and is null where the key is unknown.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array


class Lookup(Protocol):
    """A table of facts by key. Lookups do I/O; the engine only calls `fetch`."""

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct, non-null `keys`.

        Raises:
            LookupUnavailable: no answer within the deadline; the engine tries again by the policy.
        """
        ...
