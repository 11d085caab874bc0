"""The guard around executor calls: what it refuses, what it says, what it lets through."""

import importlib
import logging
import os
import pickle
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from trivium import Event, Executor, NormalizedEvent
from trivium.config.model.pipeline import Purity
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker
from trivium.engine.guard import ImpureError
from trivium.engine.outcomes import Outcomes

HERE = Path(__file__)


class Ping(Event, tag="ping"):
    id: str
    does: str


class PingRow(NormalizedEvent):
    said: str


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def resolved() -> object:
    return socket.getaddrinfo("localhost", 80)


DEEDS: dict[str, Callable[[], object]] = {
    "nothing": lambda: "",
    "read": lambda: Path("/etc/hostname").exists() and HERE.read_text()[:3],
    "write": lambda: os.open(os.devnull, os.O_WRONLY),
    "list": lambda: os.listdir("/"),
    "connect": socket.socket,
    "resolve": resolved,
    "process": lambda: subprocess.run([sys.executable, "-V"], check=False),
    "database": lambda: sqlite3.connect(":memory:"),
    "lazy import": lambda: __import__("wave"),
    "zone": lambda: NOON.astimezone(ZoneInfo("Pacific/Chatham")).isoformat(),
    "strptime": lambda: datetime.strptime("2026", "%Y"),  # noqa: DTZ007
    "own library": lambda: Path(os.__file__).read_text()[:3],
}


class PingExecutor(Executor[Ping, PingRow]):
    def process(self, event: Ping) -> PingRow:
        try:
            said = str(DEEDS[event.does]())
        except Exception:  # noqa: BLE001 - authors do, and the guard must hold
            said = "handled"
        return PingRow(event_id=event.id, event_time=NOON, said=said)


class PingColumns(Executor[Ping, PingRow]):
    def process_batch(self, events: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        said = [str(DEEDS[each]()) for each in events.column("does").to_pylist()]
        times = pa.array([NOON] * len(said), pa.timestamp("us", "UTC"))
        rows = [events.column("id"), times, pa.array(said, pa.string())]
        return pa.RecordBatch.from_arrays(rows, schema=self.declaration.row_schema), pa.array(range(len(said)))


class PingAccepts(PingExecutor):
    def accepts(self, event: Ping) -> bool:
        DEEDS[event.does]()
        return True


def run(executor: type[Executor[Any, Any]], purity: Purity, *deeds: str) -> Outcomes:
    spec = replace(spec_of([executor]), purity=purity)
    values = [f'{{"event_type":"ping","id":"{n}","does":"{does}"}}'.encode() for n, does in enumerate(deeds)]
    return BlockingWorker(spec, {}).run(RawBatch(values, "test", np.arange(len(values))))


IMPURE = [
    ("read", "open('", "artifact"),
    ("write", "open('/dev/null') at", "artifact"),
    ("list", "os.listdir('/') at", "artifact"),
    ("connect", "socket.__new__ at", "Enrichment"),
    ("resolve", "socket.getaddrinfo('localhost') at", "Enrichment"),
    ("process", "subprocess.Popen(", "field of the event"),
    ("database", "sqlite3.connect(':memory:') at", "Enrichment"),
]


@pytest.mark.parametrize("executor", [PingExecutor, PingColumns, PingAccepts])
@pytest.mark.parametrize(("deed", "said", "instead"), IMPURE)
def test_strict_rejects_the_event_and_no_other(
    executor: type[Executor[Any, Any]], deed: str, said: str, instead: str
) -> None:
    out = run(executor, "strict", "nothing", deed, "zone")
    (reject,) = out.rejects
    assert (reject.index, reject.reason, reject.event_type) == (1, "impure", "ping")
    assert reject.stage == ("accept" if executor is PingAccepts else "process")
    assert reject.error.startswith("ImpureError: the executor of ping does I/O: ")
    assert said in reject.error
    assert f"{HERE}:" in reject.error
    assert instead in reject.error
    assert out.emitted["ping"].parents.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reads_file", "open('/etc/hostname') at "),
        ("opens_socket", "socket.__new__ at "),
        ("library", "urllib.Request('http://127.0.0.1:9/2026-01-01') at "),
    ],
)
def test_a_bad_executor_is_refused_where_it_reaches_out(name: str, said: str) -> None:
    (reject,) = sighted(f"bad.{name}").rejects
    assert (reject.stage, reject.reason) == ("process", "impure")
    assert said in reject.error
    assert f"tests/testing/bad/{'weather_client' if name == 'library' else name}.py:" in reject.error


@pytest.mark.parametrize("name", ["lazy_import", "zone", "regex_cache"])
def test_a_legal_executor_passes(name: str) -> None:
    sys.modules.pop("colorsys", None)
    ZoneInfo.clear_cache()
    assert not sighted(f"legal.{name}").rejects


def test_a_model_that_open_loads_passes(tmp_path: Path) -> None:
    """Loading reads a file, and that is what `open` is for."""
    (tmp_path / "model.json").write_text("[1.5, 2.0]")
    out = sighted("legal.loaded_model", model=str(tmp_path / "model.json"))
    assert not out.rejects
    assert out.emitted["sighting"].rows.column("said").to_pylist() == ["8.5"]


def sighted(name: str, **artifacts: str) -> Outcomes:
    """One event through an executor of tests/testing with these artifacts, under a strict guard."""
    spec = spec_of([importlib.import_module(f"tests.testing.{name}").SightingExecutor])
    bound = {name: replace(each, artifacts=artifacts) for name, each in spec.executors.items()}
    value = b'{"event_type":"sighting","id":"1","at":"2026-01-01T00:00:00Z","count":1,"names":["ada","bo"]}'
    return BlockingWorker(replace(spec, purity="strict", executors=bound), {}).run(
        RawBatch([value], "test", np.arange(1))
    )


@pytest.mark.parametrize("deed", ["lazy import", "zone", "strptime", "own library"])
def test_what_a_pure_executor_may_do_passes(deed: str) -> None:
    sys.modules.pop("wave", None)
    sys.modules.pop("_strptime", None)
    ZoneInfo.clear_cache()
    assert not run(PingExecutor, "strict", deed).rejects


def test_warn_says_each_kind_once_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "trivium.engine.guard"):
        out = run(PingExecutor, "warn", "read", "read", "list", "nothing")
    assert not out.rejects
    assert [record.getMessage().partition(": ")[2].partition("(")[0] for record in caplog.records] == [
        "open",
        "os.listdir",
    ]
    assert caplog.records[0].executor == "the executor of ping"  # type: ignore[attr-defined]


def test_off_sees_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not run(PingExecutor, "off", "read").rejects
    assert not caplog.records


def test_outside_of_executor_calls_everything_is_allowed() -> None:
    run(PingExecutor, "strict", "read", "nothing")
    assert HERE.read_text()
    with socket.socket():
        pass


def test_the_error_survives_pickling() -> None:
    assert str(pickle.loads(pickle.dumps(ImpureError("does I/O")))) == "does I/O"
