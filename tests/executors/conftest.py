"""The flights archive, made once, and workers over it."""

from pathlib import Path

import pytest

from tests.support.flights_archive import lookups_of
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.engine.blocking import BlockingWorker


@pytest.fixture(scope="session")
def pipelines(flights: Path, airlines: str, repository: Path) -> dict[str, Pipeline]:
    """The pipelines of the configs, over the prepared archive."""
    environ = {"DATA": str(flights), "TABLES": str(flights / "tables"), "REDIS": airlines}
    names = ("flights", "flights_typed")
    return {name: compile_file(repository / "configs" / f"{name}.yaml", environ) for name in names}


@pytest.fixture(scope="session")
def workers(pipelines: dict[str, Pipeline]) -> dict[str, BlockingWorker]:
    """One worker a pipeline, with its real lookups."""
    return {name: BlockingWorker(pipeline.worker_spec, lookups_of(pipeline)) for name, pipeline in pipelines.items()}
