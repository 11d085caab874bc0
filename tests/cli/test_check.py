"""`trivium check`: samples through the real worker, differences field by field, outcomes written on demand."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.shop import known_customers
from tests.support.terminal import Trivium

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


def test_an_executor_that_raises_is_shown_with_its_line(project: Path, trivium: Trivium) -> None:
    executor = project / "executors/order/executor.py"
    lines = executor.read_text().splitlines(keepends=True)
    [at] = [number for number, text in enumerate(lines) if "def process(" in text]
    lines.insert(at + 1, '        return {}["currency"]\n')
    executor.write_text("".join(lines))
    done = trivium("check")
    assert done.exit_code == 1
    place = f"executors/order/executor.py:{at + 2} in OrderExecutor.process"
    assert f"got rejected: KeyError (KeyError: 'currency' at {place}: return {{}}[\"currency\"])" in done.stdout


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


def test_update_says_what_it_changes(samples: Path, trivium: Trivium) -> None:
    good = samples.read_bytes()
    replace(samples, '"amount":12.5,"large":false', '"amount":12.25,"color":"red","large":true')
    replace(samples, '"dropped":true', '"rejected":"TooSmall"')
    updated = trivium("check", "--update")
    assert updated.exit_code == 0
    assert updated.stdout.splitlines() == [
        "configs/shop.yaml",
        "  ✓ order: 4 samples, 2 updated",
        f"    {SAMPLES}:1: rows[0]: there is no column color (one of amount, customer, event_id, event_time, large);"
        " removed",
        f"    {SAMPLES}:1: rows[0].amount: 12.25 → 12.5",
        f"    {SAMPLES}:1: rows[0].large: true → false",
        f"    {SAMPLES}:3: rejected: TooSmall → dropped",
        "✓ all good",
    ]
    assert samples.read_bytes() == good


def test_a_sample_may_have_options_of_its_own(samples: Path, trivium: Trivium) -> None:
    first = samples.read_text().splitlines()[0]
    samples.write_text(first.replace('{"event":', '{"options":{"large_from":10.0},"event":', 1) + "\n")
    assert f"{SAMPLES}:1: rows[0].large: expected false, got true" in trivium("check").stdout
    assert trivium("check", "--update").exit_code == 0
    assert '"options":{"large_from":10.0}' in samples.read_text()
    assert trivium("check").exit_code == 0
    replace(samples, "10.0", '"ten"')
    assert f"{SAMPLES}:1: options: Input should be a valid number" in trivium("check").stdout


CLOCK = "        return event.amount != 0 and time.time() > 0"


def test_an_impure_executor_is_found_in_its_sources(project: Path, trivium: Trivium) -> None:
    executor = project / "executors/order/executor.py"
    replace(executor, "from datetime", "import time\nfrom datetime")
    replace(executor, "        return event.amount != 0", CLOCK)
    line = executor.read_text().splitlines().index(CLOCK) + 1
    found = f"executors/order/executor.py:{line}: time.time: it reads the clock"
    done = trivium("check")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "configs/shop.yaml",
        "  ✗ order: 4 samples, 1 finding",
        f"    {found}. Try: take the time from a field of the event",
        "✗ 1 executor with findings",
    ]
    config = project / "configs/shop.yaml"
    text = config.read_text()
    config.write_text(f"purity: off\n{text}")
    assert trivium("check").exit_code == 0
    config.write_text(f"purity: strict\n{text}")
    strict = trivium("check")
    assert strict.exit_code == 2
    assert f": executor-impure: {found} (take the time from a field of the event)" in strict.stderr


def test_an_executor_that_differs_in_another_process_is_found(project: Path, trivium: Trivium) -> None:
    executor = project / "executors/order/executor.py"
    replace(executor, "customer=event.customer,", 'customer=" ".join({"one", "two", "three", "four", "five"}),')
    assert trivium("check", "--update").exit_code == 1
    done = trivium("check", "--format", "json")
    (file,) = json.loads(done.stdout)["files"]
    (breach,) = file["types"][0]["breaches"]
    assert "OrderExecutor (executors/order/executor.py:" in breach
    assert "likely cause: it depends on the order of a set, or on hash() (PYTHONHASHSEED)" in breach


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


def test_no_outcome_is_written_of_a_fact_that_the_sample_does_not_say(
    project: Path, samples: Path, trivium: Trivium
) -> None:
    known_customers(project)
    order = '"event_type":"order","order_id":"o-9","placed_at":"2026-01-01T09:30:00Z","amount":150'
    lines = [
        f'{{"event":{{{order},"customer":"eve"}}}}',
        f'{{"event":{{{order},"customer":"eve"}},"enrichments":{{"known":null}}}}',
        f'{{"event":{{{order},"customer":"eve"}},"enrichments":{{"known":{{"country":"CH"}}}}}}',
        f'{{"event":{{{order.replace("150", "0")},"customer":"eve"}}}}',
    ]
    samples.write_text("\n".join(lines) + "\n")
    updated = trivium("check", "--update")
    assert updated.exit_code == 1, updated.output
    said = f"{SAMPLES}:1: asked for known of 'eve', which the sample does not answer, so no outcome is written"
    assert said in updated.stdout
    first, *others = samples.read_text().splitlines()
    assert first == lines[0]
    assert ['"rows":' in line for line in others] == [True, True, False]
    assert '"dropped":true' in others[2]


def test_what_a_run_would_not_find_is_said(project: Path, trivium: Trivium) -> None:
    lookup = known_customers(project)
    done = trivium("check", "configs/shop.yaml")
    assert done.exit_code == 0, done.output
    assert f"! lookups.known: {lookup}" in done.stdout
    assert "all good" not in done.stdout
    (project / "data/events").rename(project / "data/elsewhere")
    done = trivium("check", "configs/shop.yaml", "--connect")
    assert done.exit_code == 1
    assert f"✗ batch.source: {project}/data/events" in done.stdout
    assert "2 things that a run needs would not be found" in done.stdout
    missing = json.loads(trivium("check", "--connect", "--format", "json").stdout)["files"][0]["missing"]
    assert [each["place"] for each in missing] == ["batch.source", "lookups.known"]


def test_what_a_run_would_find_is_said_line_by_line(project: Path, trivium: Trivium) -> None:
    known = known_customers(project)
    pq.write_table(pa.table({"name": ["ada"], "country": ["CH"]}), known)
    config = project / "configs/shop.yaml"
    done = trivium("check", "configs/shop.yaml", "--connect")
    assert done.exit_code == 0, done.output
    assert [line for line in done.stdout.splitlines() if line.startswith("  ✓ ")][1:] == [
        "  ✓ batch.source: parquet, 3 files, 20 rows",
        "  ✓ lookups.known: parquet, keys of string fit; 1 of 1 keys of the source have a row",
        "  ✓ table: not there yet; the first run makes it",
    ]
    assert done.stdout.endswith("✓ all good\n")
    pq.write_table(pa.table({"name": ["eve"], "country": ["CH"]}), known)
    (file,) = json.loads(trivium("check", "--connect", "--format", "json").stdout)["files"]
    assert file["found"]["lookups.known"].endswith("; 0 of 1 keys of the source have a row")
    pq.write_table(pa.table({"name": [1], "country": ["CH"]}), known)
    wrong = trivium("check", "configs/shop.yaml", "--connect")
    assert wrong.exit_code == 1
    assert "✗ lookups.known: " in wrong.stdout
    config.write_text(config.read_text().replace("key: name", "key: nam"))
    assert "✗ lookups.known: " in trivium("check", "configs/shop.yaml", "--connect").stdout


def test_a_lookup_without_its_columns_is_said(project: Path, trivium: Trivium) -> None:
    pq.write_table(pa.table({"name": ["ada"], "land": ["CH"]}), known_customers(project))
    done = trivium("check", "configs/shop.yaml", "--connect")
    assert done.exit_code == 1
    assert "column country: it is required and missing" in done.stdout


def test_a_broker_that_is_away_fails_the_check_where_it_is_asked_for(project: Path, trivium: Trivium) -> None:
    config = project / "configs/shop.yaml"
    source = '{type: kafka, servers: "127.0.0.1:9", topics: [orders], request_timeout_seconds: 1}'
    config.write_text(config.read_text() + f"streaming: {{source: {source}}}\n")
    assert trivium("check").exit_code == 0
    done = trivium("check", "--connect")
    assert done.exit_code == 1
    assert "✗ streaming.source: no Kafka broker of 127.0.0.1:9 answered" in done.stdout


def test_a_file_of_keys_that_is_not_here_is_said_and_a_bad_one_is_a_problem(
    project: Path, trivium: Trivium, tmp_path: Path
) -> None:
    keys, config = tmp_path / "keys", project / "configs/shop.yaml"
    config.write_text(f"{config.read_text()}serving: {{route: /shop, api_keys_file: {keys}}}\n")
    here = trivium("check", "configs/shop.yaml")
    assert here.exit_code == 0
    assert "serving.api_keys_file: the file of API keys" in here.stdout
    assert trivium("check", "configs/shop.yaml", "--connect").exit_code == 1
    keys.write_text("eleven-char\n")
    bad = trivium("check", "configs/shop.yaml")
    assert bad.exit_code == 2
    assert "line 1 of the file of API keys" in bad.stderr
    assert "eleven-char" not in bad.stdout + bad.stderr
    keys.write_text("a-key-of-sixteen\n")
    assert "api_keys_file" not in trivium("check", "configs/shop.yaml").stdout


def test_what_one_may_not_expect_of_the_archive_is_said(project: Path, trivium: Trivium) -> None:
    (project / "data/events/day=2026-01-01/notes.txt").write_text("no data")
    said = "1 file left out, since no Parquet: day=2026-01-01/notes.txt"
    done = trivium("check", "configs/shop.yaml")
    assert done.exit_code == 0
    assert f"! batch.source: {said}\n✓ all good" in done.stdout
    assert said in trivium("plan", "configs/shop.yaml").stdout
    (file,) = json.loads(trivium("check", "--format", "json").stdout)["files"]
    assert file["notes"] == [said]
