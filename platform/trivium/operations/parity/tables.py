"""The pipeline a table-writing road runs for parity: the user's own, with its source and tables in a scratch folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.config.model import Batch, ParquetSource
from trivium.config.pipeline import Pipeline
from trivium.config.plan import Plan
from trivium.config.streaming_model import KafkaSource, Streaming
from trivium.operations.parity.inputs import Input

_VALUE = "value"


def over_archive(pipeline: Pipeline, inputs: Sequence[Input], folder: Path) -> Pipeline:
    """The pipeline over a Parquet file of the inputs; the row is the input's number."""
    source = folder / "raw"
    source.mkdir(parents=True)
    values = pa.array([each.value for each in inputs], pa.binary())
    pq.write_table(pa.table({_VALUE: values}), source / "inputs.parquet")
    section = ParquetSource(type="parquet", path=str(source), value_column=_VALUE)
    batch = pipeline.config.batch or Batch(source=section)
    return _redirected(pipeline, folder, batch=batch.model_copy(update={"source": section, "workers": 1}))


def over_topic(pipeline: Pipeline, servers: str, topic: str, folder: Path) -> Pipeline:
    """The pipeline over a topic of one partition, in which the offset is the input's number."""
    section = KafkaSource(type="kafka", servers=servers, topics=(topic,))
    streaming = pipeline.config.streaming or Streaming(source=section)
    changed = {"source": section, "workers": 1, "commit_interval_seconds": 1.0}
    return _redirected(pipeline, folder, streaming=streaming.model_copy(update=changed))


def _redirected(pipeline: Pipeline, folder: Path, **changed: Any) -> Pipeline:
    config = pipeline.config
    table = config.table.model_copy(update={"path": str(folder / "table")})
    letters = config.dead_letters.model_copy(update={"path": str(folder / "dead_letters")})
    # Many odd records on purpose: that is no reason to stop.
    config = config.model_copy(update={**changed, "table": table, "dead_letters": letters, "breaker": "off"})
    plan = Plan.of({**pipeline.plan.document, "config": config.model_dump(mode="json")})
    return replace(pipeline, config=config, plan=plan)
