"""Parity of pipelines in which a Kafka header or the topic, not the event, names the event's type."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.readings import Readings, reading
from tests.support.terminal import in_own_process
from trivium.operations.errors import ArgumentError
from trivium.parity.inputs import InputSpec
from trivium.parity.run import FAST, check_parity

ROUTINGS = ("{header: kind}", "{topics: {readings: reading}}")


@pytest.fixture(params=ROUTINGS, ids=["header", "topics"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Readings:
    """Twenty events without a tag, one of a type nobody declared, one without a type."""
    made = Readings(tmp_path).write()
    text = made.config.read_text().replace("value_column: value,", "value_column: value, type_column: kind,")
    made.config.write_text(f"routing: {request.param}\n{text}")
    events = [{name: value for name, value in reading(f"e{n}").items() if name != "event_type"} for n in range(20)]
    values, kinds = [json.dumps(each).encode() for each in [*events, {}, {}]], [*["reading"] * 20, "other", None]
    path = tmp_path / "data" / "day=2026-03-01" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"value": values, "kind": kinds}), path)
    return made


def test_the_decoders_agree_and_what_no_request_can_say_is_counted(project: Readings) -> None:
    report = check_parity(project.config, InputSpec(made_up=5), FAST)
    assert report.holds, report.differences
    assert report.coverage.outcomes["reading", "emitted"] >= 20
    # Of the archive and of the odd records, each: a type nobody declared, and none.
    assert [each.untaken for each in report.results] == [0, 4, report.results[2].untaken]
    assert report.results[2].equal >= 25


def test_lines_of_a_file_do_not_say_their_type(project: Readings, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text("{}\n")
    with pytest.raises(ArgumentError, match=r"lines of a file do not say their event type.*Try: without --input"):
        check_parity(project.config, InputSpec(file=lines), FAST)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_three_runtimes_make_the_same(project: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = in_own_process("parity", str(project.config), "--sample", "all", folder=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds: batch, streaming, serving made the same of" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    cannot = {line[0]: line[-1] for line in lines if line and line[0] in ("batch", "streaming", "serving")}
    by_topic = "{topics:" in project.config.read_text()
    assert cannot == {"batch": "0", "streaming": "4" if by_topic else "0", "serving": "4"}
