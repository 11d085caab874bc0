"""A result for people: the same parts as text and as HTML, whatever the data holds."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import polars as pl
import pytest

import trivium
from tests.support.notebook_flights import PLANES, DepartureExecutor, event
from trivium.notebook.result import RunResult

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE flights; --",
    "\x1b[31mred\x1b[0m",
    "right\u202eto left",
    "two\nlines\tand a tab",
    "&amp;<b>",
    "x" * 10_000,
]


class Reader(HTMLParser):
    """Collects tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def run(*data: Any) -> RunResult:
    return trivium.run(DepartureExecutor, list(data), lookups={"plane": PLANES})


def test_the_text_has_three_parts() -> None:
    result = run(event("A", tail_number="N1"), event("B", delay=None), event("C", delay=-500))
    assert repr(result) == (
        "departure: 3 events, 1 row\n"
        "emitted: 1 event, 1 row\n"
        "  event_id  event_time                 delay  late  model\n"
        "  A         2024-01-01 08:00:00+00:00  20     True  737\n"
        "dropped: 1 event\n"
        "  index  by        event\n"
        '  1      executor  {"flight": "B", "scheduled": "2024-01-01T08:00:00Z", "delay": null, '
        '"event_type": "departure"}\n'
        "rejected: 1 event\n"
        "  index  stage    reason       error\n"
        "  2      process  RejectError  RejectError: too early\n"
        '      line: tests/support/notebook_flights.py:37: raise RejectError("too early")\n'
        '      event: {"flight": "C", "scheduled": "2024-01-01T08:00:00Z", "delay": -500, "event_type": "departure"}'
    )


def test_facts_that_were_no_plain_hits_are_counted() -> None:
    result = run(event("A", tail_number="N1"), event("B"), event("C", tail_number="N9"), event("D", tail_number="N8"))
    assert repr(result).splitlines()[-5:] == [
        "incomplete: 3 emitted events",
        "  enrichment  state     events  first index",
        "  plane       missing   2       2",
        "  plane       null_key  1       1",
        "  each in result.incomplete",
    ]
    assert "<b>incomplete</b> <span>3 emitted events</span>" in result._repr_html_()
    assert result.incomplete.to_pylist() == [
        {"index": 1, "enrichment": "plane", "state": "null_key"},
        {"index": 2, "enrichment": "plane", "state": "missing"},
        {"index": 3, "enrichment": "plane", "state": "missing"},
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_shown_and_do_nothing(text: str) -> None:
    result = run(event(text), event(text, delay=None), event(text, delay=-500), text)
    page, plain = result._repr_html_(), repr(result)
    reader = read(page)
    assert set(reader.tags) <= {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert reader.attributes == {"style"}
    assert all(each.isprintable() for each in page)
    assert all(line.isprintable() and len(line) <= 125 for line in plain.split("\n"))
    assert len(page) < 10_000


class RaisingExecutor(DepartureExecutor):
    """One whose process fails for an event."""

    def process(self, event: Any, plane: Any) -> Any:
        return [][event.delay_minutes]


def test_the_line_that_raised_is_shown() -> None:
    result = trivium.run(RaisingExecutor, [event("A"), event("B", delay=-500)], lookups={"plane": PLANES})
    first = result.rejected.to_pylist()[0]
    assert first["code_file"] == "tests/notebook/test_display.py"
    assert first["code_text"] == "return [][event.delay_minutes]"
    place = f"{first['code_file']}:{first['code_line']}: return [][event.delay_minutes]"
    assert place in repr(result)
    assert place in " ".join(read(result._repr_html_()).texts)
    assert "in RaisingExecutor.process" in first["code_trace"]


def test_text_and_html_say_the_same() -> None:
    data = [event(f"flight-{number}", delay=None if number % 3 == 1 else 7) for number in range(30)]
    result = run(*data, *[event("wrong", delay=-500)] * 7)
    shown = " ".join(read(result._repr_html_()).texts)
    for word in re.findall(r"[\w.,-]+", repr(result)):
        assert word in unescape(shown)
    assert "and 15 more in result.rows" in shown
    assert "and 2 more in result.rejected" in shown


def test_html_brings_no_asset_and_no_fixed_text_colour() -> None:
    page = run(event(), "{")._repr_html_()
    assert not re.search(r"https?:|url\(|<(script|style|link|img)", page)
    assert set(re.findall(r"(?<![-\w])(?:color|background):([^;\"]+)", page)) == {"inherit"}


def test_a_wide_row_names_the_columns_that_do_not_fit() -> None:
    result = run(event("x" * 60, tail_number="N1"))
    wide = RunResult(
        result.event_type,
        result.rows.append_column("country_in_which_the_aircraft_is_registered_today", [["Switzerland"]]),
        result.parents,
        result.counts,
        result.data,
        result.drops,
        result.rejects,
    )
    lines = repr(wide).split("\n")
    assert max(map(len, lines)) <= 122
    assert "… and country_in_which_the_aircraft_is_registered_today" in repr(wide)


def test_a_result_becomes_pandas_and_polars() -> None:
    result = run(event("A"), event("B"))
    assert isinstance(result.to_pandas(), pd.DataFrame)
    assert isinstance(result.to_polars(), pl.DataFrame)
    assert result.to_polars()["event_id"].to_list() == ["A", "B"] == list(result.to_pandas()["event_id"])
    assert len(result) == 2
