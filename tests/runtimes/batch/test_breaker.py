"""A batch run that rejects too much for one reason stops with that reason, and starts again only after a change."""

import sys
from pathlib import Path

import pytest

from tests.support.visits import Visits, visit
from trivium.core.errors import RunError
from trivium.engine.breaker import SystemicRejects


def project(root: Path, bad: int, breaker: str = "{ratio: 0.5, window_events: 10}") -> Visits:
    """Two days of ten visits in units of one row group (three rows); the first `bad` of the second day are bad."""
    made = Visits(root, unit_rows=1)
    for number in range(2):
        events = [visit(f"v{number}.{n}", number, action="raise" if number and n < bad else None) for n in range(10)]
        made.write(number, events)
    return with_breaker(made, breaker)


def with_tours(made: Visits) -> Visits:
    """The pipeline with a second type, `tour`, of the same code."""
    folder = made.root / "executors/tour"
    folder.mkdir()
    (folder / "__init__.py").touch()
    code = (
        made.visit_source.read_text().replace("visit_row", "row").replace("Visit", "Tour").replace('"visit"', '"tour"')
    )
    (folder / "executor.py").write_text(
        code.replace("executors.row import TourRow", "executors.visit_row import VisitRow").replace(
            "TourRow", "VisitRow"
        )
    )
    made.config.write_text(made.config.read_text().replace("{type: visit}", "{type: visit}, {type: tour}"))
    return made


def with_breaker(made: Visits, breaker: str) -> Visits:
    """The pipeline file with another breaker."""
    lines = [line for line in made.config.read_text().splitlines() if not line.startswith("breaker:")]
    made.config.write_text("\n".join([*lines, f"breaker: {breaker}"]) + "\n")
    return made


def test_rejects_here_and_there_are_dead_letters(tmp_path: Path) -> None:
    made = project(tmp_path, bad=4)
    made.run()
    assert (len(made.content().rows), len(made.content().letters)) == (16, 4)


def test_systemic_rejects_stop_the_run_and_nothing_is_committed(tmp_path: Path) -> None:
    made = project(tmp_path, bad=10)
    with pytest.raises(SystemicRejects) as caught:
        made.run()
    text = str(caught.value)
    for part in (
        "6 of the last 10 inputs (60%)",
        "event type visit, stage process, reason ",
        "First: day=2026-03-02/part-0.parquet at 0; last: day=2026-03-02/part-0.parquet at 5",
        "this record is said to be bad",
    ):
        assert part in text, text
    assert (made.content().rows, made.content().letters) == ([], [])


def test_a_restart_needs_a_change_and_resumes(tmp_path: Path) -> None:
    made = project(tmp_path, bad=10)
    with pytest.raises(SystemicRejects):
        made.run()
    for _ in range(2):
        with pytest.raises(RunError, match=r"nor its breaker changed since\. It said: rejects are systemic"):
            made.run()
    report = with_breaker(made, "off").run()
    assert report.units_reused > 0
    assert (len(made.content().rows), len(made.content().letters)) == (10, 10)


def test_finished_units_count_for_the_breaker_of_the_next_run(tmp_path: Path) -> None:
    made = project(tmp_path, bad=10)
    for breaker in ("{ratio: 0.5, window_events: 10}", "{ratio: 0.4, window_events: 10}"):
        with pytest.raises(SystemicRejects):
            with_breaker(made, breaker).run()


def test_another_executor_may_try_again(tmp_path: Path) -> None:
    made = project(tmp_path, bad=10)
    with pytest.raises(SystemicRejects):
        made.run()
    source = made.visit_source.read_text()
    made.visit_source.write_text(source.replace('raise ValueError("this record is said to be bad")', "return None"))
    for name in ("executors.visit.executor", "executors.visit", "executors"):
        sys.modules.pop(name, None)
    assert made.run().total.dropped == 10


def test_what_routing_drops_neither_feeds_nor_dilutes(tmp_path: Path) -> None:
    made = project(tmp_path, bad=0, breaker="{ratio: 0.5, window_events: 10}")
    others = [{"event_type": "other"}] * 100
    made.write(1, [*others, *[visit(f"b{n}", 1, action="raise") for n in range(12)]])
    with pytest.raises(SystemicRejects, match="of the last 1"):
        made.run()
    made.write(1, others)
    assert with_breaker(made, "{ratio: 0.4, window_events: 10}").run().counts["_unrouted"].dropped == 100


def test_a_wholly_broken_type_among_many_inputs_of_another_stops_the_run(tmp_path: Path) -> None:
    """Every tenth input is a tour and each tour is bad; no visit is."""
    made = with_tours(project(tmp_path, bad=0))
    events = [visit(f"w{n}", 2) for n in range(90)]
    for place in range(0, 100, 10):
        events.insert(place, {**visit(f"t{place}", 2, action="raise"), "event_type": "tour"})
    made.write(2, events)
    with pytest.raises(SystemicRejects) as caught:
        made.run()
    for part in ("10 of the last 10 inputs (100%) of one event type", "event type tour, stage process, reason "):
        assert part in str(caught.value)
    assert made.content().rows == []
    report = with_breaker(made, "{window_events: 11}").run()
    assert (report.counts["tour"].rejected, report.counts["visit"].emitted_rows) == (10, 110)
