"""`trivium status` of streams nobody runs: record times of any size, a broker that is away, tables of others."""

import json
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from tests.support.odd_tables import OURS, pipeline_table
from tests.support.terminal import Trivium
from trivium.cli import status as command
from trivium.delivery.maintenance import small_files
from trivium.devtools.scaffold import new_project
from trivium.operations import status
from trivium.operations.status import LogEnds

CONFIG = "configs/shop.yaml"
NOW = 1_767_225_600_000_000


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop that streams from a broker nobody reaches; its table is there."""
    new_project("shop", tmp_path)
    root = tmp_path / "shop"
    source = '{type: kafka, servers: "127.0.0.1:9", topics: [orders], request_timeout_seconds: 1}'
    config = root / CONFIG
    config.write_text(config.read_text() + f"streaming: {{source: {source}}}\n")
    pipeline_table(root / "tables/shop")
    monkeypatch.chdir(root)
    return root


def committed(root: Path, newest_us: int) -> None:
    """A commit of one partition, whose newest record has this time."""
    ranges = {"orders/0": {"start": 0, "next": 4, "newest_us": newest_us}}
    metadata = {"runtime": "streaming", "balance": "{}", "ranges": json.dumps(ranges)}
    properties = CommitProperties(custom_metadata=metadata)
    row = pa.Table.from_pylist([{**OURS, "_runtime": "streaming"}])
    write_deltalake(str(root / "tables/shop"), row, mode="append", commit_properties=properties)


@pytest.mark.parametrize(
    ("newest_us", "shown"),
    [
        (0, "-"),
        (-1000, "-"),
        (1_767_225_600, "(1970-01-01 00:29:27 UTC)"),
        (NOW, "(2026-01-01 00:00:00 UTC)"),
        (253_402_300_799_999_999, "from now (9999-12-31 23:59:59 UTC)"),
        (253_402_300_800_000_000, "beyond the year 9999"),
        (NOW * 1000, "beyond the year 9999"),
        ((2**63 - 1) * 1000, "beyond the year 9999"),
    ],
)
def test_a_record_time_of_any_size_is_shown(
    newest_us: int, shown: str, shop: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(shop, newest_us)
    monkeypatch.setattr(status, "log_ends", lambda *_: LogEnds(problem="nobody is there"))
    done = trivium("status", CONFIG)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("orders/0")]
    assert shown in line
    assert json.loads(trivium("status", CONFIG, "--format", "json").stdout)["partitions"][0]["lag"] is None


@pytest.mark.parametrize("answer", [LogEnds({"orders/0": 9, "orders/1": 3}), LogEnds(problem="nobody is there")])
def test_positions_are_shown_before_a_slow_broker_answers(
    answer: LogEnds, shop: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(shop, NOW)
    shown = threading.Event()
    show = command._show_partitions  # noqa: SLF001 - when it is called is what this test is about

    def slow(*_: object) -> LogEnds:
        assert shown.wait(20), "the positions were held back"
        return answer

    def seen(*arguments: object) -> None:
        show(*arguments)  # type: ignore[arg-type]
        shown.set()

    monkeypatch.setattr(status, "log_ends", slow)
    monkeypatch.setattr(command, "_show_partitions", seen)
    monkeypatch.setattr(command, "_PATIENCE_SECONDS", 0.05)
    done = trivium("status", CONFIG)
    assert done.exit_code == 0, done.output
    assert "Kafka does not answer yet" in done.stderr
    lines = [line.split()[:4] for line in done.stdout.splitlines() if line.startswith("orders/")]
    if answer.problem:
        assert lines == [["orders/0", "?", "?", "?"]]
        assert "the ends of the logs are not known: nobody is there" in done.stdout
    else:
        assert lines == [["orders/0", "?", "?", "?"], ["orders/0", "?", "9", "?"], ["orders/1", "?", "3", "?"]]


def test_overdue_maintenance_is_a_line_with_the_command(
    shop: Path, trivium: Trivium, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        committed(shop, NOW)
    assert "small files" not in trivium("status", CONFIG).stdout
    figures = json.loads(trivium("status", CONFIG, "--format", "json").stdout)["small_files"]
    assert figures["in_all"] == figures["of_day"] == 3
    monkeypatch.setattr(small_files, "OVERDUE_OF_A_DAY", 3)
    shown = trivium("status", CONFIG).stdout
    assert f"3 of streams, 3 of them of event day {figures['day']}; overdue: trivium maintain" in shown


def test_the_table_of_another_pipeline_is_refused(shop: Path, trivium: Trivium) -> None:
    config = shop / CONFIG
    config.write_text(config.read_text().replace("pipeline: shop", "pipeline: other"))
    done = trivium("status", CONFIG)
    assert done.exit_code == 2
    assert "expected the table of the pipeline other" in done.stderr
    assert "got one that belongs to the pipeline shop" in done.stderr
