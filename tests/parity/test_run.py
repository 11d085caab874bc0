"""Parity: equal runtimes are reported equal, a planted difference is shown, thin coverage is named."""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.flow_events import MOMENT, Item, Line, line, row_form
from tests.support.pipelines import pipeline_of
from tests.support.visits import LOOKUPS, Visits, visit
from trivium import Event, Executor, NormalizedEvent
from trivium.config.pipeline import Pipeline
from trivium.operations.errors import ArgumentError
from trivium.parity.compare import RuntimeResult, compare
from trivium.parity.fields import field_pairs
from trivium.parity.inputs import Input, InputSpec, inputs_of
from trivium.parity.page import page
from trivium.parity.results import DROPPED, InputOutcome
from trivium.parity.run import FAST, check_parity
from trivium.parity.runtimes import Scene

ITEMS = [Input(json.dumps({"event_type": "item", "n": n, "key": None}).encode(), f"number {n}") for n in range(30)]


def fast(pipeline: Pipeline, inputs: list[Input]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(pipeline, Path("none.yaml"), Path(folder))
        return compare(pipeline, inputs, {name: take(scene, inputs) for name, take in FAST.items()}, "again")


def test_equal_ways_are_equal() -> None:
    report = fast(pipeline_of([row_form(line)]), ITEMS)
    assert report.holds
    assert report.verdict == "Parity holds: records, requests, columns made the same of 30 inputs."
    assert [(each.equal, each.differs) for each in report.results] == [(30, 0)] * 3


def test_types_with_columns_of_their_own_are_equal_too() -> None:
    class Note(Event, tag="note"):
        n: int
        text: str

    class NoteRow(NormalizedEvent):
        text: str

    class Notes(Executor[Note, NoteRow]):
        def process(self, event: Note) -> NoteRow:
            # A day, and so a file, of its own for each.
            return NoteRow(event_id=f"n{event.n}", event_time=MOMENT + timedelta(days=event.n), text=event.text)

    notes = [Input(json.dumps({"event_type": "note", "n": n, "text": "x"}).encode(), f"note {n}") for n in range(3)]
    report = fast(pipeline_of([row_form(line), Notes]), [*ITEMS[:3], *notes])
    assert [(each.equal, each.differs) for each in report.results] == [(6, 0)] * 3


def test_an_executor_that_remembers_breaks_parity_and_the_page_shows_where() -> None:
    seen = itertools.count()
    report = fast(pipeline_of([row_form(lambda event: line(event, n=event.n + next(seen) // 30))]), ITEMS)
    assert not report.holds
    assert report.verdict == "PARITY IS BROKEN: of 30 inputs, records, requests, columns disagree on 30."
    difference = report.differences[0]
    assert (difference.runtime, difference.input.origin) == ("requests", "number 0")
    assert difference.expected != difference.got
    html = page(report)
    assert "PARITY IS BROKEN" in html
    assert "<mark>" in html
    assert "number 0" in html


def test_an_executor_that_looks_at_its_neighbours() -> None:
    class Neighbours(row_form(line)):  # type: ignore[misc]
        last = 0

        def process(self, event: Item) -> Line:
            type(self).last, last = event.n, type(self).last
            return line(event, n=last)

    assert not fast(pipeline_of([Neighbours]), ITEMS).holds


@pytest.mark.parametrize(
    ("place", "made_of_it", "kind"),
    [
        (3, DROPPED, "missing"),
        (5, InputOutcome("emitted", "item", ('{"n":5}', '{"n":5}')), "differs"),
        (7, InputOutcome("emitted", "item", ('{"n":8}',)), "differs"),
        (0, InputOutcome("emitted", "item", ('{"n":0}',)), "extra"),
        (2, None, "untaken"),
    ],
)
def test_the_matrix_tells_how_a_runtime_differs(place: int, made_of_it: InputOutcome | None, kind: str) -> None:
    first = [DROPPED, *(InputOutcome("emitted", "item", (f'{{"n":{n}}}',)) for n in range(1, 30))]
    other = [*first[:place], made_of_it, *first[place + 1 :]]
    report = compare(pipeline_of([row_form(line)]), ITEMS, {"batch": first, "serving": other}, "again")
    counts = {"equal": 29, "differs": 0, "missing": 0, "extra": 0, "untaken": 0, kind: 1}
    assert report.results == [RuntimeResult("batch", 30, 0, 0, 0, 0), RuntimeResult("serving", **counts)]
    assert report.holds == (kind == "untaken")
    assert [each.kind for each in report.differences] == [kind] * (kind != "untaken")
    assert page(report)


def test_the_very_field_that_differs_is_marked() -> None:
    one = InputOutcome("emitted", "item", ('{"n":5,"where":{"code":"JFK","tags":["a","b"]}}',))
    other = InputOutcome("emitted", "item", ('{"n":5,"where":{"code":"JFK","tags":["a","c"]}}',))
    assert [each.path for each in field_pairs(one, other) if each.differs] == ["rows[0].where.tags[1]"]
    report = compare(pipeline_of([row_form(line)]), ITEMS[:1], {"batch": [one], "serving": [other]}, "again")
    html = page(report)
    assert re.findall("<mark>(.*?)</mark>", html) == ["rows[0].where.tags[1]", "&quot;b&quot;", "&quot;c&quot;"]


def test_a_runtime_with_another_count_of_rows_or_another_outcome_shows_what_it_lacks() -> None:
    row = InputOutcome("emitted", "item", ('{"n":5}',))
    lost = [each for each in field_pairs(row, DROPPED) if each.differs]
    assert [(each.path, each.expected, each.got) for each in lost] == [
        ("outcome", '"emitted"', '"dropped"'),
        ("type", '"item"', None),
        ("rows[0].n", "5", None),
        ("enrichments", '"{}"', None),
    ]


def test_a_page_of_many_large_differences_keeps_its_size() -> None:
    wide = [
        InputOutcome("emitted", "item", (json.dumps({f"field {n} {k}": "ä" * 1000 for k in range(200)}),))
        for n in range(30)
    ]
    report = compare(pipeline_of([row_form(line)]), ITEMS, {"batch": wide, "serving": wide[::-1]}, "again")
    assert len(report.differences) == 10
    assert len(page(report).encode()) <= 200_000


def test_fields_values_nulls_and_edges_are_counted() -> None:
    values = [
        {"n": 0, "key": ""},
        {"n": -1, "key": None},
        {"n": 1 << 40, "key": "ä"},
        {"n": 1, "key": "x" * 2000},
        {"n": 2},
    ]
    inputs = [Input(json.dumps({"event_type": "item", **each}).encode(), "") for each in values]
    fields = {each.field: each for each in fast(pipeline_of([row_form(line)]), inputs).coverage.fields}
    assert (fields["n"].values, fields["n"].nulls, fields["n"].edges) == (5, 0, ["large", "negative", "zero"])
    assert (fields["key"].values, fields["key"].nulls) == (3, 2)
    assert fields["key"].edges == ["beyond ASCII", "empty", "long"]


def test_what_was_not_tried_is_said() -> None:
    report = fast(pipeline_of([row_form(lambda _event: None)]), ITEMS)
    assert list(report.coverage.thin) == [
        "no event of item became a row",
        "no input was rejected",
        "item.key never held a value",
    ]


def test_the_page_shows_hostile_input_as_text() -> None:
    hostile = [Input(b'{"event_type":"item","n":"<script>alert(1)</script>"}', "<b>origin</b>"), *ITEMS]
    seen = itertools.count()
    html = page(fast(pipeline_of([row_form(lambda event: line(event, event_id=f"<i>{next(seen)}"))]), hostile))
    assert "<script>" not in html
    assert "<b>origin" not in html
    assert "<i>" not in html
    assert len(html.encode()) <= 200_000


def test_a_record_no_request_can_carry_is_counted_and_not_compared() -> None:
    report = fast(pipeline_of([row_form(line)]), [*ITEMS, Input(b"[1,", "cut off")])
    assert report.holds
    assert [each.untaken for each in report.results] == [0, 1, 1]


@pytest.fixture
def project(tmp_path: Path) -> Visits:
    made = Visits(tmp_path, lookups=LOOKUPS)
    pq.write_table(pa.table({"id": ["g1"], "name": ["Ada"]}), tmp_path / "guides.parquet")
    made.write(0, [visit(f"a{number}", number) for number in range(20)])
    return made


def test_inputs_come_from_the_archive_and_the_types_and_are_the_same_again(project: Visits) -> None:
    assert check_parity(project.config, InputSpec(sample=None, made_up=0), FAST).inputs > 20
    first = check_parity(project.config, InputSpec(sample=10, made_up=5), FAST)
    assert first.holds
    assert first.inputs > 30
    assert check_parity(project.config, InputSpec(sample=10, made_up=5), FAST) == first


def test_a_file_of_lines_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"event_type":"item","n":1}\n\nnonsense\n')
    found = inputs_of(pipeline_of([row_form(line)]), InputSpec(file=file))
    assert [each.value for each in found] == [b'{"event_type":"item","n":1}', b"nonsense"]
    file.write_bytes(b"")
    with pytest.raises(ArgumentError, match="no record in"):
        inputs_of(pipeline_of([row_form(line)]), InputSpec(file=file))


def test_what_must_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trivium.parity.inputs.find_spec", lambda _name: None)
    with pytest.raises(ArgumentError, match=r"hypothesis, which is not installed. Try: pip .*trivium\[testing\]"):
        inputs_of(pipeline_of([row_form(line)]), InputSpec())
