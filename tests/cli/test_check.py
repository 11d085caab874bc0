"""`trivium check`: samples through the real worker, differences field by field, outcomes written on demand."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Trivium

SAMPLES = "executors/order/samples.jsonl"


@pytest.fixture
def samples(project: Path) -> Path:
    return project / SAMPLES


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_repository_checks(repository: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    done = trivium("check", "configs/flights.yaml")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1] == "  ✓ departure: 8 samples"


def test_differences_name_file_line_and_field(samples: Path, trivium: Trivium) -> None:
    replace(samples, '"amount":12.5,"large":false', '"amount":12.25,"large":true')
    replace(samples, '"dropped":true', '"rejected":"TooSmall"')
    done = trivium("check")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "configs/shop.yaml",
        "  ✗ order: 3 differences in 4 samples",
        f"    {SAMPLES}:1: rows[0].amount: expected 12.25, got 12.5",
        f"    {SAMPLES}:1: rows[0].large: expected true, got false",
        f"    {SAMPLES}:3: expected rejected: TooSmall, got dropped",
        "✗ 1 executor with differences",
    ]


def test_update_writes_outcomes_and_leaves_events_alone(samples: Path, trivium: Trivium) -> None:
    good = samples.read_bytes()
    event = '{"event":{ "event_type" : "order","order_id":"o-9","placed_at":"2026-01-01T09:30:00.5Z",'
    event += '"customer":"eve","amount":1.50, "more": 1e400}'
    samples.write_bytes(good + event.encode() + b"}\n")
    unwritten = trivium("check")
    assert unwritten.exit_code == 1
    assert f"{SAMPLES}:5: no outcome is written (got 1 row); trivium check --update writes it" in unwritten.stdout
    updated = trivium("check", "--update")
    assert updated.exit_code == 0
    assert "✓ order: 5 samples, 1 updated" in updated.stdout
    *rest, last = samples.read_bytes().splitlines(keepends=True)
    assert b"".join(rest) == good
    assert last.startswith(event.encode() + b',"rows":[{"event_id":"o-9","event_time":"2026-01-01T09:30:00.500000Z"')
    assert trivium("check").exit_code == 0


def test_without_samples_it_is_a_warning(samples: Path, trivium: Trivium) -> None:
    samples.unlink()
    done = trivium("check")
    assert done.exit_code == 0
    assert f"  ! order: no samples; write events into {SAMPLES}, then trivium check --update" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not a sample"),
        ('{"event":{},"rowz":[]}', "not a sample"),
        ('{"event":{},"dropped":true,"rejected":"x"}', "expected one outcome, got dropped and rejected"),
        ('{"event":{},"rows":[]}', 'an event without rows is written "dropped": true'),
        ('{"event":{},"enrichments":{"plane":{}},"dropped":true}', "no enrichment plane (it declares none)"),
        ('{"event":{"event_type":"visit"},"dropped":true}', "its event_type is not order"),
    ],
)
def test_a_line_that_is_no_sample_is_named(line: str, said: str, samples: Path, trivium: Trivium) -> None:
    samples.write_text(f"\n{line}\n")
    done = trivium("check", "--update")
    assert done.exit_code == 1
    assert f"{SAMPLES}:2: " in done.stdout
    assert said in done.stdout
    assert samples.read_text() == f"\n{line}\n"


def test_an_executor_that_looks_at_its_neighbours_is_found(project: Path, trivium: Trivium) -> None:
    executor = project / "executors/order/executor.py"
    replace(executor, "    def accepts(", "    seen = 0\n\n    def accepts(")
    replace(
        executor,
        "        return event.amount != 0",
        "        OrderExecutor.seen += 1\n        return OrderExecutor.seen <= 5",
    )
    done = trivium("check")
    assert done.exit_code == 1
    assert f"{SAMPLES}:2: alone 1 row, among the other samples dropped" in done.stdout


def test_json_says_the_same(samples: Path, trivium: Trivium) -> None:
    replace(samples, '"amount":12.5,"large":false', '"amount":12.5,"large":true')
    done = trivium("check", "--format", "json")
    assert done.exit_code == 1
    (file,) = json.loads(done.stdout)["files"]
    assert file["types"][0]["differences"] == [f"{SAMPLES}:1: rows[0].large: expected true, got false"]
    assert (file["problems"], file["types"][0]["samples"]) == ([], 4)


def test_every_pipeline_of_the_project_is_checked(project: Path, trivium: Trivium) -> None:
    (project / "configs" / "broken.yaml").write_text("pipeline: broken\n")
    done = trivium("check")
    assert done.exit_code == 2
    assert done.stderr.startswith("configs/broken.yaml:1:1: ")
    assert "✗ configs/broken.yaml: " in done.stdout
    assert "configs/shop.yaml\n  ✓ order: 4 samples\n✓ all good" in done.stdout
