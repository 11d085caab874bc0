"""Batch runs on the cluster: content that does not depend on how it was cut or hosted, and workers that refuse."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.visits import Visits, visit, window
from trivium.core.errors import TriviumError
from trivium.runtimes.batch import run as batch_run
from trivium.runtimes.batch.prepare import BatchArguments
from trivium.runtimes.batch.run import run_batch

pytestmark = pytest.mark.usefixtures("ray_cluster")


def filled(root: Path, **settings: int) -> Visits:
    project = Visits(root, **settings)
    for number in range(3):
        events = [visit(f"v{number}.{n}", number, back=n % 2) for n in range(10)]
        project.write(number, [*events, visit(f"bad{number}", number, action="raise")])
    return project


def test_units_workers_and_processes_do_not_change_content(tmp_path: Path) -> None:
    """One worker with one unit, two workers with a unit a row group, and this process give one content."""
    few = filled(tmp_path / "few", workers=1, unit_rows=1000)
    many = filled(tmp_path / "many", workers=2, unit_rows=1)
    here = filled(tmp_path / "here", workers=1, unit_rows=7)
    reports = [few.run_on_ray(), many.run_on_ray(), here.run()]
    assert [report.units for report in reports] == [1, 12, 6]
    assert few.content() == many.content() == here.content()
    assert reports[0].counts == reports[1].counts == reports[2].counts
    assert len(few.content().letters) == 3
    assert many.run_on_ray(window(1, 2)).total.emitted_rows == 10 + 5
    assert many.content() == few.content()


@contextmanager
def saved_before_units(path: Path) -> Iterator[None]:
    """A file edited after the run was prepared and before its workers start."""
    prepare = batch_run.prepare

    def edited(*arguments: object) -> object:
        prepared = prepare(*arguments)  # type: ignore[arg-type]
        path.write_text(path.read_text() + "\n# saved while the run was starting\n")
        return prepared

    with patch.object(batch_run, "prepare", edited):
        yield


def test_an_executor_edited_after_planning_stops_the_run_and_is_named(tmp_path: Path) -> None:
    project = filled(tmp_path)
    pipeline = project.compile()
    with (
        saved_before_units(project.visit_source),
        pytest.raises(TriviumError, match=r"this worker would run something else .* executors\.visit\.executor"),
    ):
        run_batch(pipeline, BatchArguments())
    assert project.content().rows == []
    assert project.run_on_ray().total.emitted_rows == 45
