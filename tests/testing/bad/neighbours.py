"""Compares each event with the others of its batch."""

import pyarrow as pa
import pyarrow.compute as pc

from tests.support.sighting import Sighting, SightingRow
from trivium import Executor


class SightingExecutor(Executor[Sighting, SightingRow]):
    def process_batch(self, events: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        most = pc.equal(events.column("count"), pc.max(events.column("count")))
        columns = [events.column("id"), events.column("at"), most.cast(pa.string())]
        rows = pa.RecordBatch.from_arrays(columns, schema=self.declaration.row_schema)
        return rows, pa.array(range(events.num_rows), pa.int32())
