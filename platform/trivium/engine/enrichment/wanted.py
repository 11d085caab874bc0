"""Keys that a batch's events have for one enrichment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trivium.contract.keys import Key
from trivium.engine.inputs import Inputs

Flags = npt.NDArray[np.bool_]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BatchKeys:
    """Keys by place: one an event, or those of its list at `offsets[event]` up to `offsets[event + 1]`.

    `values` is null where there is no key. `times` are those the facts are wanted of. `unneeded` says which events
    need no fact; None: all do. `null_lists` says which events have null for a list.
    """

    values: pa.Array
    times: pa.Array | None = None
    offsets: Offsets | None = None
    unneeded: Flags | None = None
    null_lists: Flags | None = None


def of_column(column: pa.Array, key: Key, inputs: Inputs) -> BatchKeys:
    """Return the keys of a column with one value, or one list, an event; a method's nulls are no misses."""
    nulls = pc.is_null(column).to_numpy(zero_copy_only=False) if column.null_count else None
    unneeded = nulls if key.method is not None else None
    times = None if key.as_of is None else inputs.key(key.as_of)
    if not key.many:
        return BatchKeys(column, times, unneeded=unneeded)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    if times is not None:
        times = times.take(pa.array(np.repeat(np.arange(len(lengths)), lengths)))
    return BatchKeys(column.flatten(), times, offsets, unneeded, nulls if unneeded is None else None)


def joined(parts: list[pa.Array], key: Key) -> pa.Array:
    """Return a key of several values as structs, null where one of them is."""
    if len(parts) == 1:
        return parts[0]
    unknown = np.zeros(len(parts[0]), np.bool_)
    for part in parts:
        unknown |= pc.is_null(part).to_numpy(zero_copy_only=False)
    return pa.StructArray.from_arrays(parts, fields=list(key.type), mask=pa.array(unknown))


def as_type(keys: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return keys in a lookup's own type, whose values are of the same types under other names."""
    if keys.type == wanted:
        return keys
    if pa.types.is_struct(wanted):
        parts = [keys.field(place).cast(field.type) for place, field in enumerate(wanted)]
        return pa.StructArray.from_arrays(parts, fields=list(wanted))
    return keys.cast(wanted)
