"""Facts that parity compares runtimes on: asked once where a process has all of them, and of one state in any case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.rates_project import Rates, events, own_modules
from tests.support.terminal import Trivium
from tests.support.visits import in_this_process
from trivium.parity import runtimes
from trivium.parity.inputs import Input, InputSpec
from trivium.parity.page import page
from trivium.parity.results import InputOutcome
from trivium.parity.run import FAST, check_parity
from trivium.parity.runtimes import Scene

__all__ = ["own_modules"]
pytestmark = pytest.mark.usefixtures("own_modules")


@pytest.fixture
def project(tmp_path: Path) -> Rates:
    made = Rates(tmp_path)
    (tmp_path / "inputs.jsonl").write_bytes(b"\n".join(events("order", 0, ["EUR", "USD", "CHF", None] * 10)))
    return made


def wanted(project: Rates) -> InputSpec:
    return InputSpec(file=project.root / "inputs.jsonl")


def test_ways_in_one_process_ask_once(project: Rates) -> None:
    report = check_parity(project.config, wanted(project), FAST)
    assert report.holds, report.verdict
    asked = [key for call in project.calls() for key in call]
    assert sorted(asked) == ["CHF", "EUR", "USD"]


def test_a_lookup_that_changes_between_them_makes_no_difference(project: Rates) -> None:
    def later(scene: Scene, inputs: Sequence[Input]) -> Iterator[InputOutcome | None]:
        project.write_rates({"EUR": 1})
        yield from runtimes.requests(scene, inputs)

    report = check_parity(project.config, wanted(project), {"records": runtimes.raw, "requests": later})
    assert {each.unequal for each in report.results} == {0}


def test_the_state_that_all_used_is_named(project: Rates) -> None:
    with in_this_process():
        report = check_parity(project.config, wanted(project), {"batch": runtimes.batch, "records": runtimes.raw})
    assert report.holds, report.verdict
    (state,) = report.states.values()
    assert len(state) == 8
    assert f"<td>lookup rates</td><td>{state}</td>" in page(report)


def test_a_state_that_changed_while_runtimes_ran_is_no_difference_of_theirs(project: Rates) -> None:
    def batch(scene: Scene, inputs: Sequence[Input]) -> Iterator[InputOutcome | None]:
        project.write_rates({"EUR": 1})
        yield from runtimes.batch(scene, inputs)

    with in_this_process():
        report = check_parity(project.config, wanted(project), {"records": runtimes.raw, "batch": batch})
    assert not report.holds
    assert report.verdict.startswith(
        "PARITY IS NOT SHOWN: the facts of the lookup rates changed meanwhile (the start: "
    )
    assert ", batch: " in report.verdict


def test_the_command_names_the_state(project: Rates) -> None:
    done = Trivium()("parity", str(project.config), "--fast", "--input", str(project.root / "inputs.jsonl"))
    assert done.exit_code == 0, done.output
    assert "lookup rates" in done.output
