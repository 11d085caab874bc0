"""The compliance kit on executors that break the contract, each in one way, and on unusual ones that keep it."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import force_setattr

from tests.support.compliance_causes import CAUGHT_BY_THE_KIT
from tests.support.every_key import Trip, TripBatchExecutor, TripExecutor, trip
from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too
from tests.testing.bad import nested_list
from tests.testing.legal import loaded_model
from trivium import Event, Executor, ExecutorOptions, NormalizedEvent
from trivium.config.registry import Registry
from trivium.samples.compliance.subject import Subject, made_cases
from trivium.testing import assert_executor_compliance


@pytest.fixture
def departure(repository: Path) -> type[Executor[Any, Any]]:
    """One of the repository's own executors, with lookups and samples."""
    return Registry.from_project(repository, ["departure"]).classes["departure"]


def executor(name: str) -> type[Executor[Any, Any]]:
    cls: type[Executor[Any, Any]] = importlib.import_module(f"tests.testing.{name}").SightingExecutor
    return cls


def complaint(cls: type[Executor[Any, Any]], **given: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_executor_compliance(cls, **given)
    return str(caught.value)


@pytest.mark.parametrize("name", list(CAUGHT_BY_THE_KIT))
def test_a_bad_executor_is_caught_by_the_check_meant_for_it(name: str) -> None:
    check, cause = CAUGHT_BY_THE_KIT[name]
    first = complaint(executor(f"bad.{name}")).splitlines()
    assert first[0].startswith("SightingExecutor (")
    assert first[0].endswith(f") is not compliant: {check}")
    assert f"bad/{name}.py:" in first[0]
    assert first[1].startswith('  input: {"event_type":"sighting",')
    assert [line.partition(":")[0].strip() for line in first[2:4]] != ["", ""]
    assert first[4] == f"  likely cause: {cause}" or first[4].startswith(f"  likely cause: {cause};")


def test_both_answers_are_shown_and_the_line_that_is_to_blame() -> None:
    text = complaint(executor("bad.environment"))
    assert '  here: 1 row, rows[0].said = "seen"\n  elsewhere: 1 row, rows[0].said = "7919"\n' in text
    assert "    tests/testing/bad/environment.py:11: os.environ.get: it depends on the machine" in text


def test_a_changed_list_is_shown_before_and_after() -> None:
    text = complaint(nested_list.SightingExecutor)
    assert "before: {'limits': {'small': [1, 2, 3]}}" in text
    assert "after: {'limits': {'small': [3, 2, 1]}}" in text


@pytest.mark.parametrize("name", ["lazy_import", "zone", "regex_cache"])
def test_a_legal_executor_complies(name: str) -> None:
    assert_executor_compliance(executor(f"legal.{name}"))


def test_a_loaded_model_complies(tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    model.write_text("[1.5, 2.0]")
    assert_executor_compliance(loaded_model.SightingExecutor, artifacts={"model": str(model)})


def test_an_executor_that_does_not_open_is_named() -> None:
    text = complaint(loaded_model.SightingExecutor)
    assert "is not compliant: opening\n  input: none\n  error: KeyError: 'model'\n" in text


def test_an_executor_with_lookups_and_samples_complies(departure: type[Executor[Any, Any]]) -> None:
    assert_executor_compliance(departure)
    assert_executor_compliance(departure, options=departure.Options.model_validate({"late_after_minutes": 90}))


@pytest.mark.parametrize("cls", [TripExecutor, TripBatchExecutor], ids=["row", "column"])
def test_an_executor_with_every_kind_of_key_complies(cls: type[Executor[Any, Any]]) -> None:
    assert_executor_compliance(cls)
    assert_executor_compliance(cls, samples=[trip(origin="zrh", stops=[1, 2, 1]), trip(stops=[])])


def test_a_key_method_that_changes_its_event_is_caught() -> None:
    class Sorts(TripExecutor):
        def cell_of(self, event: Trip) -> str | None:
            force_setattr(event, "hour", 23)
            return None

    text = complaint(Sorts, samples=[trip(origin="zrh")])
    assert "is not compliant: inputs stay as they are" in text


def test_made_up_facts_reach_every_enrichment() -> None:
    subject = Subject(TripExecutor, "trip", TripExecutor.Options())
    facts = [case.facts for case in made_cases(subject, 300)]
    rows = {key.lookup for each in facts for key, row in each.items() if row is not None}
    assert rows == set(TripExecutor.declaration.enrichments)
    assert {key.time is not None for each in facts for key in each if key.lookup == "price"} == {True}
    assert any(len([key for key in each if key.lookup == "places"]) > 1 for each in facts)


def test_a_sample_with_another_outcome_is_named(
    tmp_path: Path, repository: Path, departure: type[Executor[Any, Any]]
) -> None:
    lines = (repository / "executors/departure/samples.jsonl").read_text().splitlines()
    sample = json.loads(lines[0])
    sample["rows"][0]["seats"] = 1
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    text = complaint(departure, samples=tmp_path / "samples.jsonl")
    assert "is not compliant: sample of line 1" in text
    assert "  expected: 1 row, rows[0].seats = 1\n  got: 1 row, rows[0].seats = 95\n" in text
    assert "trivium check --update writes what the executor answers now" in text


def test_events_may_be_given() -> None:
    event = {"event_type": "sighting", "id": "1", "at": "2026-01-01T00:00:00Z", "count": 5000}
    made = complaint(executor("bad.wrong_types"), samples=[event, json.dumps(event).encode(), json.dumps(event)])
    assert "5000" in made


class Note(Event, tag="note"):
    id: str


class NoteRow(NormalizedEvent):
    text: str = ""


class Unpicklable(Executor[Note, NoteRow]):
    """Makes a function in its constructor, which pickle refuses."""

    def __init__(self, options: ExecutorOptions | None = None) -> None:
        super().__init__(options)
        self.shorten = lambda text: text[:3]

    def process(self, event: Note) -> NoteRow | None:
        return None


def test_an_executor_that_cannot_be_pickled_is_named() -> None:
    text = complaint(Unpicklable)
    assert "is not compliant: pickling" in text
    assert "make that in open()" in text


class Counting(Executor[Note, NoteRow]):
    """Drops every third event."""

    def open(self, artifacts: object) -> None:
        self.count = 0

    def accepts(self, event: Note) -> bool:
        self.count += 1
        return self.count % 3 > 0

    def process(self, event: Note) -> NoteRow | None:
        raise ValueError("wanted")


def test_state_of_an_instance_is_told_from_that_of_a_module() -> None:
    text = complaint(Counting)
    assert "likely cause: the executor keeps state between events: on itself" in text
