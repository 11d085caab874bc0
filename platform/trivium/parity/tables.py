"""The pipeline a runtime runs for parity: the user's own, with its source and tables in a scratch folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trivium.config.model.pipeline import Batch
from trivium.config.model.sources import ParquetSource
from trivium.config.model.streaming import KafkaSource, Streaming
from trivium.config.pipeline import Pipeline
from trivium.config.plan import Plan
from trivium.delivery.files.event_files import EventFiles
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.files.partitioned import PartitionedFiles
from trivium.delivery.storage.storage import Storage
from trivium.engine.outcomes import Outcomes
from trivium.parity.inputs import Input

_VALUE, _TYPE = "value", "type"


@dataclass(frozen=True)
class Topics:
    """Places of the inputs in Kafka: by topic, the number of the input at each offset of its one partition."""

    places: Mapping[str, npt.NDArray[np.int64]]
    event_types: Mapping[str, str] | None
    """By topic, the event type it holds, in a pipeline that routes by topic."""

    @property
    def taken(self) -> npt.NDArray[np.int64]:
        """The numbers of all inputs that are in a topic."""
        return np.concatenate([np.empty(0, np.int64), *self.places.values()])


def topics_of(pipeline: Pipeline, inputs: Sequence[Input], name: str) -> Topics:
    """Return one topic for all inputs, or one for each event type where the topic names it."""
    if pipeline.config.routing.topics is None:
        return Topics({name: np.arange(len(inputs))}, None)
    types = {f"{name}-{number}": event_type for number, event_type in enumerate(pipeline.executors)}
    numbers = range(len(inputs))
    places = {
        topic: np.array([at for at in numbers if inputs[at].event_type == event_type], np.int64)
        for topic, event_type in types.items()
    }
    return Topics(places, types)


def written_and_read(pipeline: Pipeline, outcomes: Outcomes, folder: Path) -> dict[str, pa.Table]:
    """Write a worker's rows to files as the table has them, and return what the files hold, by event type."""
    if not outcomes.emitted:
        return {}
    folder.mkdir(exist_ok=True)
    schema, partition_by = table_schema(pipeline.table_columns), pipeline.config.table.partition_by
    files = EventFiles(PartitionedFiles(Storage(str(folder)), schema, partition_by, "parity", {"_runtime": "batch"}))
    files.add(outcomes.emitted.values())
    written = [pq.ParquetFile(folder / each.path).read() for each in files.close()]
    rows = pa.concat_tables(written, promote_options="default")
    return {name: rows.filter(pc.equal(rows["_event_type"], name)) for name in outcomes.emitted}


def over_archive(pipeline: Pipeline, inputs: Sequence[Input], folder: Path) -> Pipeline:
    """Return the pipeline over a Parquet file of the inputs; the row is the input's number."""
    source = folder / "raw"
    source.mkdir(parents=True)
    columns = {_VALUE: pa.array([each.value for each in inputs], pa.binary())}
    named = None if pipeline.config.routing.by_body else _TYPE
    if named:
        columns[named] = pa.array([each.event_type for each in inputs], pa.string())
    pq.write_table(pa.table(columns), source / "inputs.parquet")
    section = ParquetSource(type="parquet", path=str(source), value_column=_VALUE, type_column=named)
    batch = pipeline.config.batch or Batch(source=section)
    return _redirected(pipeline, folder, batch=batch.model_copy(update={"source": section, "workers": 1}))


def over_topics(pipeline: Pipeline, servers: str, topics: Topics, folder: Path) -> Pipeline:
    """Return the pipeline over topics of one partition each."""
    section = KafkaSource(type="kafka", servers=servers, topics=tuple(topics.places))
    streaming = pipeline.config.streaming or Streaming(source=section)
    changed = {"source": section, "workers": 1, "commit_interval_seconds": 1.0}
    routing = pipeline.config.routing
    if topics.event_types is not None:
        routing = routing.model_copy(update={"topics": dict(topics.event_types)})
    return _redirected(pipeline, folder, routing=routing, streaming=streaming.model_copy(update=changed))


def _redirected(pipeline: Pipeline, folder: Path, **changed: Any) -> Pipeline:
    config = pipeline.config
    table = config.table.model_copy(update={"path": str(folder / "table")})
    letters = config.dead_letters.model_copy(update={"path": str(folder / "dead_letters")})
    # Many odd records on purpose: that is no reason to stop.
    config = config.model_copy(update={**changed, "table": table, "dead_letters": letters, "breaker": "off"})
    plan = Plan.of({**pipeline.plan.document, "config": config.model_dump(mode="json")})
    return replace(pipeline, config=config, plan=plan)
