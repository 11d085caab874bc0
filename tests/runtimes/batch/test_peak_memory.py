"""I7 for batch: a worker's memory does not grow with the number of files of its unit."""

from pathlib import Path

import pytest

from tests.support.peak_memory import ROWS, SIZES, measure


@pytest.mark.faults
def test_peak_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    found = [measure(files, tmp_path / str(files)) for files in SIZES]
    assert [each["rows"] for each in found] == [ROWS] * len(SIZES)
    few, many = found[0]["peak"], found[-1]["peak"]
    assert many < 1.15 * few, found
