"""Parity says of what it speaks: runtimes that were not tried, drops by their type, archives of any layout."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.flow_events import line, row_form
from tests.support.pipelines import pipeline_of
from trivium.config.model.pipeline import Batch, Routing
from trivium.config.model.sources import ParquetSource
from trivium.config.pipeline import Pipeline
from trivium.core.errors import SourceError
from trivium.parity.compare import ComparisonScope, ParityReport, compare
from trivium.parity.inputs import Input, InputSpec, inputs_of
from trivium.parity.page import page
from trivium.parity.results import DROPPED, InputOutcome

ROW = InputOutcome("emitted", "item", ('{"n":1}',))
NO_SECTION = "the file has no such section"


def report(found: Mapping[str, list[InputOutcome | None]], scope: ComparisonScope | None = None) -> ParityReport:
    inputs = [Input(b'{"event_type":"item","n":1}', "")] * 2
    return compare(pipeline_of([row_form(line)]), inputs, found, "again", scope)


def test_a_runtime_that_could_take_nothing_is_never_green() -> None:
    made = report({"batch": [ROW, ROW], "streaming": [ROW, ROW], "serving": [None, None]})
    assert not made.holds
    assert made.verdict == "PARITY IS NOT SHOWN: serving could take none of 2 inputs."
    assert made.not_tried[0] == "serving: it could take no input"
    assert "PARITY IS NOT SHOWN" in page(made)
    assert '<header class="broken">' in page(made)


def test_a_runtime_that_the_file_has_not_is_said() -> None:
    scope = ComparisonScope({"serving": NO_SECTION})
    made = report({"batch": [ROW, ROW], "streaming": [ROW, ROW], "serving": [None, None]}, scope)
    assert made.holds
    assert made.verdict == "Parity holds: batch, streaming made the same of 2 inputs. Not tried: serving."
    assert made.not_tried[0] == "serving: the file has no such section"
    assert "serving: the file has no such section" in page(made)


def test_a_runtime_that_the_file_has_not_and_that_is_required_fails() -> None:
    made = report(
        {"batch": [ROW, ROW], "serving": [None, None]}, ComparisonScope({"serving": NO_SECTION}, ("serving", "batch"))
    )
    assert not made.holds
    assert made.verdict == "PARITY IS NOT SHOWN: serving was not tried, the file has no such section."


def test_a_runtime_that_took_some_is_compared_on_those() -> None:
    assert report({"batch": [ROW, ROW], "serving": [None, ROW]}).holds
    assert not report({"batch": [ROW, ROW], "serving": [None, DROPPED]}).holds


def test_inputs_that_are_no_events_have_no_columns_and_that_is_said() -> None:
    made = report({"records": [DROPPED, DROPPED], "requests": [DROPPED, DROPPED], "columns": [None, None]})
    assert made.holds
    assert "columns: it could take no input" in made.not_tried


def test_drops_are_counted_under_their_type() -> None:
    values = [
        b'{"event_type":"item","n":1}',
        b'{"event_type":"x","event_type":"item"}',
        b'{"event_type":"item","other":"\xff"}',
        b'{"event_type":"another"}',
        b"{}",
    ]
    inputs = [Input(value, "") for value in values]
    made = compare(pipeline_of([row_form(line)]), inputs, {"batch": [DROPPED] * 5}, "again")
    assert dict(made.coverage.outcomes) == {("item", "dropped"): 3, ("_unrouted", "dropped"): 2}
    named = [Input(b"{}", "", name) for name in ("item", "another", None)]
    routed = pipeline_of([row_form(line)], routing=Routing(header="kind"))
    made = compare(routed, named, {"batch": [DROPPED] * 3}, "again")
    assert dict(made.coverage.outcomes) == {("item", "dropped"): 1, ("_unrouted", "dropped"): 2}


def over(folder: Path, routing: Routing | None = None, **settings: Any) -> Pipeline:
    """The items' pipeline over an archive of raw records."""
    made = pipeline_of([row_form(line)], routing=routing or Routing())
    source = ParquetSource(type="parquet", path=str(folder), value_column="value", **settings)
    config = made.config.model_copy(update={"batch": Batch(source=source)})
    return replace(made, config=config)


def archived(pipeline: Pipeline) -> list[tuple[bytes, str | None]]:
    """The records taken of the archive, with what is said of their type."""
    found = inputs_of(pipeline, InputSpec(sample=None, made_up=0))
    return [(each.value, each.event_type) for each in found if ".parquet:" in each.origin]


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.string(),
        pa.large_string(),
        pa.large_binary(),
        pa.string_view(),
        pa.binary_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_archives_of_any_layout_of_text_or_bytes(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ['{"event_type":"item","n":1}', None, "ä", '{"event_type":"item","n":1}']
    pq.write_table(pa.table({"value": pa.array(texts).cast(kind)}), tmp_path / "a.parquet")
    expected = [(text.encode(), None) for text in texts if text is not None]
    assert archived(over(tmp_path)) == expected


def test_types_beside_the_records_reach_runtimes_that_read_them_in_the_body(tmp_path: Path) -> None:
    for name, values in {"item": [b'{"n": 1e2 }', b"no JSON"], "other": [b'{"n":2,"event_type":"item"}']}.items():
        (tmp_path / f"kind={name}").mkdir()
        pq.write_table(pa.table({"value": values}), tmp_path / f"kind={name}" / "a.parquet")
    named = [(b'{"n":1e2,"event_type":"item"}', None), (b"no JSON", None), (b'{"n":2,"event_type":"other"}', None)]
    assert archived(over(tmp_path, type_column="kind")) == named
    assert archived(over(tmp_path / "kind=other", event_type="item")) == [(b'{"n":2,"event_type":"item"}', None)]
    by_header = archived(over(tmp_path, Routing(header="kind"), type_column="kind"))
    assert by_header == [(b'{"n": 1e2 }', "item"), (b"no JSON", "item"), (b'{"n":2,"event_type":"item"}', "other")]


def test_a_sample_is_the_same_again_and_of_the_size_asked_for(tmp_path: Path) -> None:
    for number in range(20):
        values = [json.dumps({"event_type": "item", "n": number * 100 + n}).encode() for n in range(100)]
        pq.write_table(pa.table({"value": values}), tmp_path / f"{number}.parquet", row_group_size=7)
    pipeline = over(tmp_path)
    found, again = ([each.origin for each in inputs_of(pipeline, InputSpec(sample=40, made_up=0))] for _ in range(2))
    assert found == again
    assert sum(".parquet:" in each for each in found) == 40
    assert len(set(found)) == len(found)


def test_an_archive_that_cannot_be_read_names_the_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"payload": [b"{}"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read .*\n  column value: value_column names it"):
        inputs_of(over(tmp_path), InputSpec())
