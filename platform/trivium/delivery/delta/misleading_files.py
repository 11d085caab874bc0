"""Files whose statistics make readers skip rows they should find: earlier releases wrote such, other engines do."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.delta.snapshot import Snapshot


def misleading_files(snapshot: Snapshot) -> set[str]:
    """Return the paths of files that describe some columns, and of another neither both bounds nor only nulls."""
    actions = snapshot.described()
    names = [field.name for field in snapshot.schema.fields if f"min.{field.name}" in actions.column_names]
    described = np.zeros(actions.num_rows, bool)
    whole = np.ones(actions.num_rows, bool)
    for name in names:
        counted, low, high = (actions[f"{part}.{name}"] for part in ("null_count", "min", "max"))
        described |= np.asarray(pc.or_(pc.is_valid(counted), pc.is_valid(low)))
        empty = pc.fill_null(pc.equal(counted, actions["num_records"]), False)
        bounded = pc.and_(pc.is_valid(counted), pc.and_(pc.is_valid(low), pc.is_valid(high)))
        whole &= np.asarray(pc.or_(empty, bounded))
    return set(actions["path"].filter(pa.array(described & ~whole)).to_pylist())
