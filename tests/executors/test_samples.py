"""Golden samples: each event, alone and with the facts written beside it, comes to the outcome written beside it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trivium.config.pipeline import BoundLookup, Pipeline
from trivium.config.worker_spec import spec_of
from trivium.contract.lookup import Answer
from trivium.core.clock import Deadline
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Outcomes

EXECUTORS = Path(__file__).resolve().parents[2] / "executors"
SAMPLES = [
    pytest.param(json.loads(line), id=f"{path.parent.name}-{number}")
    for path in sorted(EXECUTORS.glob("*/samples.jsonl"))
    for number, line in enumerate(path.read_text().splitlines(), 1)
]


class WrittenFacts:
    """A lookup that knows what a sample says."""

    def __init__(self, bound: BoundLookup, rows: dict[str, dict[str, Any]]) -> None:
        schema = pa.schema([pa.field(spec.wire, spec.type.arrow, spec.nullable) for spec in bound.columns])
        self._rows = pa.RecordBatch.from_pylist(list(rows.values()), schema=schema)
        self._places = {key: place for place, key in enumerate(rows)}

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        return Answer(self._rows, pa.array([self._places.get(key) for key in keys.to_pylist()], pa.int32()))

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        return self.fetch(keys, deadline)


def outcomes(pipeline: Pipeline, sample: dict[str, Any]) -> Outcomes:
    declaration = pipeline.executors[sample["event"]["event_type"]].declaration
    facts: dict[str, dict[str, Any]] = {name: {} for name in pipeline.lookups}
    for name, enrichment in declaration.enrichments.items():
        key = sample["event"].get(enrichment.key)
        if sample["enrichments"][name] is not None:
            facts[enrichment.lookup][key] = sample["enrichments"][name]
    lookups = {name: WrittenFacts(bound, facts[name]) for name, bound in pipeline.lookups.items()}
    line = json.dumps(sample["event"]).encode()
    return BlockingWorker(pipeline, lookups).run(RawBatch([line], "sample", np.arange(1)))


@pytest.fixture(scope="module")
def pipeline(pipelines: dict[str, Pipeline]) -> Pipeline:
    """The pipeline with the executors' default options, which samples are written for."""
    return spec_of([bound.cls for bound in pipelines["flights"].executors.values()])


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_comes_to_its_outcome(sample: dict[str, Any], pipeline: Pipeline) -> None:
    found = outcomes(pipeline, sample)
    event_type = sample["event"]["event_type"]
    expected = [{**row, "event_time": datetime.fromisoformat(row["event_time"])} for row in sample.get("rows", [])]
    emitted = found.emitted[event_type].rows.to_pylist() if found.emitted else []
    assert [{name: row[name] for name in pipeline.table_columns.names} for row in emitted] == expected
    assert [len(rows) for rows in found.dropped.values()] == ([1] if sample.get("dropped") else [])
    assert [reject.reason for reject in found.rejects] == ([sample["rejected"]] if "rejected" in sample else [])


def test_every_executor_has_samples_of_every_outcome_it_can_have() -> None:
    kinds = {(each.values[0]["event"]["event_type"], "rows" in each.values[0]) for each in SAMPLES}
    types = {path.parent.name for path in EXECUTORS.glob("*/executor.py")}
    assert kinds == {(event_type, emitted) for event_type in types for emitted in (True, False)}
