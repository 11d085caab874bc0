"""Small files of streams: how many there are, and when joining them is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance.compaction import SMALL_BYTES

OVERDUE_OF_A_DAY: Final = 1_000
OVERDUE_IN_ALL: Final = 10_000
"""A reader opens every file of the days it reads; two workers that commit every five seconds make 1,440 an hour."""


@dataclass(frozen=True)
class SmallFiles:
    """Files of less than 32 MiB that streams wrote: in all, and `of_day`, the event day that has most of them."""

    in_all: int = 0
    of_day: int = 0
    day: str | None = None

    @property
    def overdue(self) -> bool:
        """True where readers get slow for the number of files."""
        return self.of_day >= OVERDUE_OF_A_DAY or self.in_all >= OVERDUE_IN_ALL


def small_files(snapshot: Snapshot) -> SmallFiles:
    """Count the small files of streams; none becomes an object of Python's, however many there are.

    Files of batch are not counted: it makes few of a day and event type, and joins none of different types.
    """
    actions = pa.table(snapshot.table.get_add_actions(flatten=True))
    runtime, day_column = "partition._runtime", "partition.event_date"
    if not {runtime, day_column} <= set(actions.column_names):  # no table of ours
        return SmallFiles()
    streamed = pc.equal(actions[runtime].cast("string"), "streaming")
    found = actions.filter(pc.and_(pc.less(actions["size_bytes"], SMALL_BYTES), streamed))
    if not found.num_rows:
        return SmallFiles()
    days = found.group_by(day_column).aggregate([([], "count_all")]).sort_by([("count_all", "descending")])
    day, most = days[day_column][0].as_py(), days["count_all"][0].as_py()
    return SmallFiles(found.num_rows, most, None if day is None else str(day))
