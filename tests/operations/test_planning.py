"""A plan says of units and columns what the run will find."""

import sys
from datetime import date
from pathlib import Path

import pytest

from tests.cli import shop
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.contract.clock import SystemClock
from trivium.delivery.runs import UnitMarker
from trivium.operations.planning import plan_batch
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
        marker = UnitMarker(unit.key(prepared.job.context), prepared.job.generation, ())
        run_store(pipeline).publish(marker)
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
