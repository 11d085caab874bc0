"""Findings of the static check in executors' sources, by file and line, and the code it lets pass."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from trivium import Executor
from trivium.analysis.purity.check import impurities
from trivium.config.registry import Registry


def found(name: str, repository: Path) -> list[str]:
    """The findings in an executor of tests/testing, without what is to be tried."""
    cls: type[Executor[Any, Any]] = importlib.import_module(f"tests.testing.{name}").SightingExecutor
    return [str(each) for each in impurities(cls, repository)]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "reads_file",
            "11: Path('/etc/hostname').read_text: it reads or writes files. Try: declare the file",
        ),
        ("opens_socket", "11: socket.socket: it talks to another system. Try: declare the fact as an Enrichment"),
        ("uses_now", "11: datetime.datetime.now: it reads the clock. Try: take the time from a field of the event"),
        ("uses_random", "11: random.random: it is random. Try: derive it from a field of the event, or seed it"),
        ("global_counter", "11: global _count: it keeps state between events. Try: make it a local variable"),
        ("environment", "11: os.environ.get: it depends on the machine or its environment. Try: make it an option"),
        ("time_zone", "11: datetime.fromtimestamp without a zone: it depends on the machine's time zone. Try: name"),
    ],
)
def test_a_bad_executor_is_found_at_its_line(name: str, what: str, repository: Path) -> None:
    (finding,) = found(f"bad.{name}", repository)
    assert finding.startswith(f"tests/testing/bad/{name}.py:{what}")


def test_a_library_two_imports_away_is_found_with_the_way_to_it(repository: Path) -> None:
    (finding,) = found("bad.library", repository)
    assert finding == (
        "tests/testing/bad/weather_client.py:8: tests.testing.bad.library → tests.testing.bad.weather_of → "
        "tests.testing.bad.weather_client → urllib.request.urlopen: it talks to another system. "
        "Try: declare the fact as an Enrichment and let a lookup answer it"
    )


@pytest.mark.parametrize("name", ["lazy_import", "zone", "regex_cache", "loaded_model"])
def test_a_legal_executor_passes(name: str, repository: Path) -> None:
    assert found(f"legal.{name}", repository) == []


@pytest.mark.parametrize("name", ["set_order", "neighbours", "nested_list", "wrong_types"])
def test_what_only_calling_shows_is_left_to_the_kit(name: str, repository: Path) -> None:
    assert found(f"bad.{name}", repository) == []


def test_the_executors_of_this_repository_are_pure(repository: Path) -> None:
    registry = Registry.from_project(repository, ["departure", "arrival", "cancellation", "diversion"])
    assert not registry.failures
    assert [each for cls in registry.classes.values() for each in impurities(cls, repository)] == []


EXECUTOR = """
from datetime import datetime
{imports}
from trivium import Event, Executor, NormalizedEvent

class Ping(Event, tag="ping"):
    id: str
    at: datetime

class PingRow(NormalizedEvent):
    said: str

KEPT: dict[str, int] = {{}}
SEEN: list[str] = []
{module}

class PingExecutor(Executor[Ping, PingRow]):
    shared: list[int] = []
    def __init__(self, options=None):
        super().__init__(options)
        self.mine = {{}}
    def open(self, artifacts):
        self.model = open(artifacts["model"]).read()
    def helper(self, event):
        return 1
    def process(self, event: Ping) -> PingRow:
{body}
        return PingRow(event_id=event.id, event_time=event.at, said=str(said))
"""
BODIES: list[tuple[str, str, str, list[str]]] = [
    ("", "", "said = KEPT[event.id] = 1", ["KEPT[event.id]"]),
    ("", "", "said = SEEN.append(event.id)", ["SEEN.append"]),
    ("", "", "said = self.shared.append(1)", ["self.shared.append"]),
    ("", "", "said = self.last = event.id", ["self.last"]),
    ("", "", "PingExecutor.last = said = event.id", ["PingExecutor.last"]),
    ("", "", "type(self).last = said = event.id", ["type(self).last"]),
    ("", "", "KEPT[event.id] = said = KEPT.get(event.id, 0) + 1", ["KEPT[event.id]"]),
    ("import itertools", "NUMBERS = itertools.count()", "said = next(NUMBERS)", ["next(NUMBERS)"]),
    ("", "def f(x, seen=[]):\n    seen.append(x)", "said = f(1)", ["seen.append"]),
    ("import time as t", "", "said = t.time()", ["time.time"]),
    ("from time import time", "", "said = time()", ["time.time"]),
    ("import numpy as np", "", "said = np.random.default_rng().random()", ["numpy.random.default_rng"]),
    ("import uuid", "", "said = uuid.uuid4()", ["uuid.uuid4"]),
    ("", "", "said = hash(event.id)", ["hash"]),
    ("", "", "said = event.at.astimezone()", ["astimezone without a zone"]),
    ("import ray", "", "said = ray.get(1)", ["ray.get"]),
    ("import ray", "", "said = 1", ["ray"]),
    ("from trivium.connectors.kafka import cluster", "", "said = cluster", ["trivium.connectors.kafka.cluster"]),
    ("import importlib", "", "said = importlib.import_module(event.id)", ["importlib.import_module"]),
    ("", "", "said = eval(event.id)", ["eval"]),
    ("import threading", "", "said = threading.Thread(target=print).start()", ["threading.Thread"]),
    ("import subprocess", "", "said = subprocess.run(['true'])", ["subprocess.run"]),
    ("", "def f():\n    return open('/x')", "said = f()", ["open"]),
    ("", "DATA = open(__file__)", "said = 1", ["open"]),
    ("", "", "import sqlite3\n        said = sqlite3.connect(':memory:')", ["sqlite3.connect"]),
]
PURE: list[tuple[str, str, str]] = [
    ("import random", "", "said = random.Random(event.id).random()"),
    ("import numpy as np", "", "said = np.random.default_rng(7).random()"),
    ("import os", "", "said = os.path.join('a', 'b')"),
    ("from datetime import UTC", "", "said = datetime.fromtimestamp(0, UTC)"),
    ("", "", "kept = {}\n        kept[event.id] = 1\n        said = kept"),
    ("", "", "found = []\n        found.append(1)\n        said = found"),
    ("", "", "if event.id not in KEPT:\n            KEPT[event.id] = len(event.id)\n        said = KEPT[event.id]"),
    ("", "", "if event.id not in self.mine:\n            self.mine[event.id] = len(event.id)\n        said = 1"),
    ("", "ORDERED = sorted([], key=lambda id: id)", "said = 1"),
    ("", "", "said = sum(hash for hash in (1, 2))"),
    ("", "", "try:\n            said = 1\n        except ValueError as id:\n            said = id"),
    ("", "", "match event.id:\n            case id:\n                said = id"),
    ("", "def unused():\n    return open('/x')", "said = 1"),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ray", "", "said = 1"),
    (
        "",
        "class Box:\n    def __init__(self):\n        self.x = 1\n    def set(self):\n        self.x = 2",
        "said = Box().set()",
    ),
    ("", "class Key:\n    def __hash__(self):\n        return hash((1, 2))", "said = {Key(): 1}"),
    ("import importlib", "", "said = importlib.import_module('colorsys')"),
    ("", "", "said = self.helper(event)"),
]


def written(tmp_path: Path, *parts: str) -> list[str]:
    imports, module, body = parts
    folder = tmp_path / "executors" / "ping"
    folder.mkdir(parents=True)
    (tmp_path / "executors" / "__init__.py").touch()
    (folder / "executor.py").write_text(EXECUTOR.format(imports=imports, module=module, body=f"        {body}"))
    registry = Registry.from_project(tmp_path, ["ping"])
    assert not registry.failures
    return [each.what for each in impurities(registry.classes["ping"], tmp_path)]


@pytest.mark.parametrize(("imports", "module", "body", "expected"), BODIES, ids=[each[2][:40] for each in BODIES])
def test_what_is_found(imports: str, module: str, body: str, expected: list[str], tmp_path: Path) -> None:
    assert written(tmp_path, imports, module, body) == expected


@pytest.mark.parametrize(("imports", "module", "body"), PURE, ids=[f"{each[1]}{each[2]}"[:40] for each in PURE])
def test_what_passes(imports: str, module: str, body: str, tmp_path: Path) -> None:
    assert written(tmp_path, imports, module, body) == []


def test_a_variable_of_another_module_and_what_a_package_hands_on(tmp_path: Path) -> None:
    package = tmp_path / "executors" / "parts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from executors.parts.inner import deed\n")
    (package / "inner.py").write_text("import time\n\nKEPT = []\n\n\ndef deed():\n    return time.time()\n")
    imports = "from executors.parts import deed\nfrom executors.parts import inner"
    assert written(tmp_path, imports, "", "said = (inner.KEPT.append(1), deed())") == [
        "executors.parts.inner.KEPT",
        "time.time",
    ]
