"""The dead-letter table's columns and files: rejected and parked inputs kept whole, by whichever runtime."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.delivery.table import TableSpec

ROW_SCHEMA: Final = pa.schema(
    [
        pa.field("pipeline", pa.string(), nullable=False),
        pa.field("event_type", pa.string()),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("code_file", pa.string()),
        pa.field("code_line", pa.int32()),
        pa.field("code_text", pa.string()),
        pa.field("code_trace", pa.string()),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("value", pa.binary()),
        pa.field("value_format", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("source_day", pa.string()),
        pa.field("executor", pa.string()),
        pa.field("logic", pa.string(), nullable=False),
        pa.field("plan", pa.string(), nullable=False),
        pa.field("runtime", pa.string(), nullable=False),
        pa.field("rejected_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""A dead letter as it is written. `value` holds the original bytes (`value_format` json) or, for typed columns, the
row as JSON (`columns`); `executor` is a digest; `source_day` is null when the source has no days. `rejected_at` is when
the input was read; a replay that rejects it again keeps it. The columns of `code` say where in the author's code it was
rejected: the file, relative to the project, the line with its text, and the calls that led there; null where no code of
theirs raised, and in letters of earlier releases."""

PARKED: Final = "parked"
"""The stage of an input that no executor was shown, since its event type is held back."""
SCHEMA: Final = ROW_SCHEMA.append(pa.field("generation", pa.int64(), nullable=False))


def dead_letter_table(uri: str, pipeline: str) -> TableSpec:
    """Return the dead-letter table of a pipeline."""
    return TableSpec(uri, pipeline, SCHEMA, ("source_day", "generation", "runtime"))


def reject_files(storage: Storage, name: str, runtime: str = "batch") -> PartitionedFiles:
    """Make a writer of a runtime's dead letters: `ROW_SCHEMA` without `runtime`, one file per source day."""
    return PartitionedFiles(storage, ROW_SCHEMA, ["source_day"], name, {"runtime": runtime})
