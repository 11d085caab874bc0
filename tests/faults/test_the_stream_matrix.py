"""Runs after all other scenarios: the matrix as a whole met what it is about."""

import pytest

from tests.support.tally import Tally


@pytest.mark.faults
def test_the_matrix_met_what_it_is_about(matrix: Tally) -> None:
    assert matrix.scenarios, "no scenario ran; this test judges those that ran before it: ./dev test faults"
    assert matrix.total("half_done"), "no take-over met a half-done epoch"
    assert matrix.total("races"), "no commit lost a race"
    assert matrix.total("changed"), "no record had another outcome at a later attempt"
    assert (matrix.total("duplicates"), matrix.total("missing")) == (0, 0)
