"""The tutorial runs from top to bottom and shows what it says."""

from pathlib import Path

import nbformat
import pytest

from tests.support.notebook_kernel import REPOSITORY, environment, executed, html, texts

NOTEBOOK = REPOSITORY / "docs/notebooks/first_executor.ipynb"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """The executed notebook."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    with environment(folder):
        return executed(nbformat.read(NOTEBOOK, as_version=4), folder)


def test_it_is_kept_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


def test_the_first_run_shows_all_three_outcomes(run: nbformat.NotebookNode) -> None:
    shown = texts(run)[2]
    assert shown.startswith("departure: 5 events, 2 rows")
    assert "dropped: 1 event" in shown
    assert "180 minutes early is no departure" in shown
    assert "Expected `datetime` with a timezone component" in shown


def test_results_are_shown_as_html_too(run: nbformat.NotebookNode) -> None:
    results = [page for page in html(run) if "departure: " in page]
    assert len(results) == 3
    assert "BOEING" in results[1]


def test_the_cluster_gives_the_rows_of_the_kernel(run: nbformat.NotebookNode) -> None:
    assert texts(run)[-2].strip() == "True"


def test_the_table_run_accounts_for_every_event(run: nbformat.NotebookNode) -> None:
    shown = texts(run)[6]
    assert shown.startswith("departure: 20,000 events")
    assert "no such time, or two, in America/New_York" in shown
