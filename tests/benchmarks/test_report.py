"""Goals from figures, and CPU time that counts processes which ended."""

import os
import subprocess
import sys

import pytest

from benchmarks.batch import goals
from benchmarks.process_tree import TreeMeter
from benchmarks.report import Figures, Goal, as_json


def took(form: str, contender: str, wall: float, rows: int = 10, fixed: float = 1.0) -> tuple:
    each = Figures(form, contender, rows, 5.0, fixed, wall, 2 * wall, 1 << 20, 0.0)
    return ((form, contender), rows), each


def test_goals_are_ratios_of_walls() -> None:
    found = dict(
        [
            *(took("column", "trivium", 4.0), took("column", "trivium", 7.0, 20)),
            *(took("column", "two processes", 2.0), took("column", "two processes", 4.0, 20)),
            *(took("column", "ray data", 8.0, fixed=2.0), took("row", "trivium", 9.0)),
            *(took("row", "two processes", 3.0), took("row", "ray data", 18.0)),
        ]
    )
    reached = {goal.name: (goal.ratio, goal.reached) for goal in goals(found, 10, 20)}
    assert reached == {
        "column form, beside Ray Data": (0.5, True),
        "column form without fixed cost, beside Ray Data": (0.5, True),
        "column form, time of the added rows, beside two processes": (1.5, False),
        "row form, beside two processes": (3.0, False),
        "row form, beside Ray Data's row functions": (0.5, True),
    }


def test_goals_whose_contenders_did_not_run_are_left_out() -> None:
    found = dict([took("column", "trivium", 4.0), took("column", "polars", 1.0)])
    assert goals(found, 10, 10) == []


def test_json_says_what_was_reached() -> None:
    document = as_json([], [Goal("half", 0.5, 0.8), Goal("double", 2.0, 1.3)], {"cores": 2})
    assert [(goal["name"], goal["reached"]) for goal in document["goals"]] == [("half", True), ("double", False)]


BURN = "import time\nwhile time.process_time() < 1.0: pass"


def test_cpu_time_of_a_child_that_ended_counts() -> None:
    with TreeMeter(os.getpid()) as meter:
        subprocess.run([sys.executable, "-c", BURN], check=True)
    assert meter.usage().cpu_seconds == pytest.approx(1.2, abs=0.7)
    assert meter.usage().peak_bytes > 20 << 20
