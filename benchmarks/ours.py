"""Trivium's side: the batch runtime over query 14's two pipelines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal

from benchmarks.local_ray import local_ray
from benchmarks.peers import Run
from trivium.config.compile import compile_file
from trivium.runtimes.batch.run import run_batch
from trivium.runtimes.cluster import worker_environment

Form = Literal["row", "column", "json"]


_PIPELINES: Final = {
    "column": "column/pipeline.yaml",
    "row": "row/pipeline.yaml",
    "json": "row/pipeline_json.yaml",
}


@contextmanager
def column_form() -> Iterator[Run]:
    """The executor in column form."""
    with local_ray(worker_environment()):
        yield partial(run_trivium, "column")


@contextmanager
def row_form() -> Iterator[Run]:
    """The executor in row form."""
    with local_ray(worker_environment()):
        yield partial(run_trivium, "row")


@contextmanager
def json_form() -> Iterator[Run]:
    """The executor in row form over JSON bytes."""
    with local_ray(worker_environment()):
        yield partial(run_trivium, "json")


def run_trivium(form: Form, bids: Path, table: Path) -> None:
    """One batch run of a form's pipeline into a new table: compile, plan, work, commit."""
    shutil.rmtree(dead_letters(table), ignore_errors=True)
    config = Path(__file__).parent / "q14" / _PIPELINES[form]
    run_batch(compile_file(config, {"BIDS": str(bids), "TABLE": str(table)}))


def dead_letters(table: Path) -> Path:
    """Where the run of a table writes what it rejects."""
    return table.with_name(f"{table.name}_dead_letters")
