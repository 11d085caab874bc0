"""A plan says of units and columns what the run will find."""

import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest

from tests.support import shop
from tests.support.foreign_features import FOR_WRITERS
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.errors import UnsupportedFeature
from trivium.delivery.files.unit_markers import UnitMarker
from trivium.operations.plans.batch_plan import plan_batch
from trivium.operations.plans.parts import BreakerSummary, StreamingSummary
from trivium.operations.plans.stream_plan import plan_stream
from trivium.runtimes.batch.prepare import BatchArguments, prepare, run_store

WINDOW = BatchArguments(date(2026, 1, 1), date(2026, 1, 2))


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """The shop's pipeline, over an archive of three days."""
    return compile_file(shop.make(tmp_path) / "configs" / "shop.yaml")


@pytest.mark.parametrize("arguments", [BatchArguments(), WINDOW])
def test_units_that_a_killed_run_finished_are_counted(pipeline: Pipeline, arguments: BatchArguments) -> None:
    prepared = prepare(pipeline, arguments, SystemClock())
    assert plan_batch(pipeline, arguments).units_finished == 0
    for unit in prepared.source.units:
        marker = UnitMarker(unit.key(prepared.job.context), prepared.job.generation, (), made=prepared.job.made)
        run_store(pipeline, prepared.job.name).publish(marker)
    found = plan_batch(pipeline, arguments)
    assert (found.units, found.units_finished) == (1, 1)


def test_new_columns_and_conflicts_are_those_of_the_table(pipeline: Pipeline) -> None:
    prepare(pipeline, BatchArguments(), SystemClock())
    root = pipeline.root
    executor = root / "executors/order/executor.py"
    text = executor.read_text()
    executor.write_text(text.replace("    large: bool\n", "    large: bool\n    note: str | None = None\n"))
    for name in ("executors.order.executor", "executors.order", "executors"):
        sys.modules.pop(name, None)
    table = plan_batch(compile_file(root / "configs/shop.yaml"), BatchArguments()).table
    assert (table.version, table.new_columns, table.conflicts) == (1, ("note",), ())


def test_features_of_other_engines_are_conflicts_of_either_table(pipeline: Pipeline) -> None:
    prepare(pipeline, BatchArguments(), SystemClock())
    config = pipeline.config
    FOR_WRITERS["delta.constraints.small"].put(config.table.path)
    FOR_WRITERS["clustering"].put(config.dead_letters.path)
    constraint, clustering = plan_batch(pipeline, BatchArguments()).table.conflicts
    assert "CHECK constraints (checkConstraints: delta.constraints.small = delay < 5)" in constraint
    assert clustering.startswith("the table of dead letters uses what is not implemented here: liquid clustering")
    with pytest.raises(UnsupportedFeature, match="CHECK constraints"):
        prepare(pipeline, BatchArguments(), SystemClock())


STREAMING = """
streaming:
  source:
    type: kafka
    servers: "one:9093, two:9093"
    topics: [orders]
    security: {protocol: SASL_SSL, mechanism: PLAIN, username: shop, password: "${SECRET}"}
  workers: 3
"""


def streaming_too(root: Path, batch: str = "") -> Pipeline:
    """The shop's pipeline with a streaming section; `batch` is cut out of it."""
    file = root / "configs/shop.yaml"
    text = file.read_text()
    assert batch in text
    file.write_text(text.replace(batch, "") + STREAMING)
    return compile_file(file, {"SECRET": "hunter2secret"}, runtime=None)


def test_the_streaming_section_and_the_breaker_are_shown_without_the_password(tmp_path: Path) -> None:
    found = plan_batch(streaming_too(shop.make(tmp_path)), BatchArguments())
    assert found.streaming == StreamingSummary(
        servers=("one:9093", "two:9093"),
        topics=("orders",),
        protocol="SASL_SSL",
        isolation="read_committed",
        routing="by the field event_type",
        workers=3,
        commit_interval_seconds=5.0,
        epoch_bytes=256 << 20,
        group="shop",
    )
    assert found.breaker == BreakerSummary(0.5, 10_000, 1_000, "stop")
    assert "hunter2secret" not in str(msgspec.to_builtins(found))


def test_a_pipeline_that_only_streams_has_a_plan(tmp_path: Path) -> None:
    root = shop.make(tmp_path)
    text = (root / "configs/shop.yaml").read_text()
    found = plan_stream(streaming_too(root, text[text.index("batch:") :]))
    assert (found.streaming.topics, found.table.version) == (("orders",), None)
    assert [each.event_type for each in found.executors] == ["order"]


def test_a_pipeline_that_does_not_stream_has_no_streaming_plan(pipeline: Pipeline) -> None:
    with pytest.raises(RunError, match="has no section streaming"):
        plan_stream(pipeline)
