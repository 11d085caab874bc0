"""A stream's events as an archive for batch runs."""

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.stream_project import StreamProject


def write_archive(project: StreamProject, rows: int) -> None:
    """One day of raw events for the batch runtime."""
    path = project.root / "data" / "day=2026-03-01" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"value": pa.array(project.ticks(rows), pa.binary())}), path)
