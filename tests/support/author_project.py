"""A project whose code fails in many ways, written as files, so that tests can name the lines that raise."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.engine_inputs import raw
from trivium.engine.batch import RawBatch

PRICES: Final = """\
import json

KNOWN = {"a": 1}
SHARED = ValueError("the same each time")


def price(key):
    return KNOWN[key]


def deeper(depth):
    return deeper(depth - 1) if depth else price("zz")


def parse(text):
    return json.loads(text)


def shared():
    raise SHARED
"""
EXECUTOR: Final = """\
from datetime import UTC, datetime

import pyarrow as pa

from pricing.prices import deeper, parse, price, shared
from trivium import Event, Executor, NormalizedEvent, RejectError, RowErrors


class Item(Event, tag="item"):
    n: int
    key: str | None = None


class Line(NormalizedEvent):
    n: int


def fail(key):
    if key == "lookup":
        price("zz")
    if key == "deep":
        deeper(300)
    if key == "library":
        parse("{")
    if key == "shared":
        shared()
    if key == "exit":
        raise SystemExit("enough")
    if key == "stop":
        next(iter(()))
    if key == "impure":
        open("/etc/hostname")
    if key == "reject":
        raise RejectError("is bad")


class Rows(Executor[Item, Line]):
    def process(self, event: Item) -> Line:
        if event.key == "wrong":
            return 7
        fail(event.key)
        return Line(event_id=str(event.n), event_time=datetime(2024, 1, 1, tzinfo=UTC), n=event.n)


class Accepting(Rows):
    def accepts(self, event: Item) -> bool:
        fail(event.key)
        return True


class Columns(Executor[Item, Line]):
    def process_batch(self, events: pa.RecordBatch):
        keys = events.column("key").to_pylist()
        if "named" in keys:
            raise RowErrors({keys.index("named"): "is named"})
        for key in keys:
            fail(key)
        n = events.column("n")
        times = pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * len(n), pa.timestamp("us", "UTC"))
        rows = pa.RecordBatch.from_pydict({"event_id": n.cast(pa.string()), "event_time": times, "n": n})
        return rows, list(range(len(n)))
"""
FILE: Final = "executors/item/executor.py"


def line_of(text: str, file: str = EXECUTOR) -> int:
    """The number of the only line with this text."""
    [number] = [at for at, line in enumerate(file.splitlines(), 1) if text in line]
    return number


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the project's executors, imported from files in this folder."""
    for name, text in {"pricing/prices.py": PRICES, FILE: EXECUTOR}.items():
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    for name in ("pricing", "executors", "executors/item"):
        (folder / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in ("executors", "pricing")]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module("executors.item.executor")


def keyed(*keys: str | None) -> RawBatch:
    """Events with these keys."""
    return raw(*(json.dumps({"event_type": "item", "n": n, "key": key}).encode() for n, key in enumerate(keys)))
