"""A project of orders and refunds priced by a lookup that a test takes away, changes and brings back."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trivium.delivery.merge import query as merge

FIRST = date(2026, 5, 1)
_LOOKUP = '''
"""Rates from a file; away while there is a file `away` beside it. Every call is a line of the file `calls`."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa

from trivium import Answer, LookupUnavailable
from trivium.contract.lookup_settings import RemoteLookupSettings


class RatesLookup:
    class Settings(RemoteLookupSettings):
        path: str

    def __init__(self, settings, request):
        self._path, self._schema = Path(settings.path), request.schema

    def fetch(self, keys, deadline):
        with (self._path.parent / "calls").open("a") as calls:
            calls.write(json.dumps(keys.to_pylist()) + "\\n")
        if (self._path.parent / "away").exists():
            raise LookupUnavailable("the rates are away")
        rates = json.loads(self._path.read_text())
        known = sorted(rates)
        rows = pa.RecordBatch.from_pylist([{"rate": rates[key]} for key in known], schema=self._schema)
        places = [known.index(key) if key in known else None for key in keys.to_pylist()]
        return Answer(rows, pa.array(places, pa.int32()))

    def snapshot(self):
        return hashlib.sha256(self._path.read_bytes()).hexdigest()[:8]
'''
_EXECUTOR = """
from datetime import datetime

from trivium import Enrichment, Event, Executor, Hint, NormalizedEvent, Row


class Rate(Row):
    rate: int


class Given(Event, tag="{name}"):
    event_id: str
    at: datetime
    currency: str | None = None


class Priced(NormalizedEvent):
    rate: int | None = None


class Prices(Executor[Given, Priced]):
    rate = Enrichment(Rate, key="currency", lookup="rates", missing="null", hints={hints})

    def process(self, event: Given, rate: Rate | None) -> Priced:
        return Priced(event_id=event.event_id, event_time=event.at, rate=rate.rate if rate else None)
"""
_CONFIG = """
pipeline: rates
executors: [{{type: order}}, {{type: refund}}]
lookups:
  rates:
    type: "lookups.rates:RatesLookup"
    path: ../facts/rates.json
    retry: {{attempts: 1}}
    {lookup}
table: {{type: delta, path: ../tables/rates}}
dead_letters: {{type: delta, path: ../tables/rates_dead_letters}}
breaker: off
{sections}
"""
STREAMING = """streaming:
  source: {{type: kafka, servers: "{servers}", topics: [{topic}], request_timeout_seconds: 5}}
  workers: 1
  commit_interval_seconds: 0.5
  batch_deadline_seconds: 6
  record_deadline_seconds: 6
"""
BATCH = """batch:
  source: {type: parquet, path: ../data, value_column: value, day_column: day}
  workers: 1
"""


@pytest.fixture
def own_modules() -> Iterator[None]:
    """Each test imports its own project's modules; afterwards those of the others are as they were."""
    path, known = list(sys.path), _modules()
    for name in known:
        del sys.modules[name]
    yield
    sys.path[:] = path
    for name in _modules():
        del sys.modules[name]
    sys.modules.update(known)


def _modules() -> dict[str, Any]:
    return {name: each for name, each in sys.modules.items() if name.split(".")[0] in ("executors", "lookups")}


def day(number: int) -> str:
    """The `number`th day of the archive, from 0."""
    return (FIRST + timedelta(days=number)).isoformat()


class Rates:
    """The project's folder. `lookup` are more lines of the lookup's section, `sections` those of the runtimes."""

    def __init__(
        self, root: Path, *, lookup: str = "unavailable: missing", sections: str = BATCH, hints: str = "Hint.CACHEABLE"
    ) -> None:
        self.root, self.config = root, root / "configs" / "rates.yaml"
        self.table = str(root / "tables" / "rates")
        files = {
            "lookups/__init__.py": "",
            "lookups/rates.py": _LOOKUP,
            "executors/__init__.py": "",
            "configs/rates.yaml": _CONFIG.format(lookup=lookup, sections=sections),
        }
        for name in ("order", "refund"):
            files[f"executors/{name}/__init__.py"] = ""
            files[f"executors/{name}/executor.py"] = _EXECUTOR.format(name=name, hints=hints)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())
        (root / "facts").mkdir()
        self.write_rates({"EUR": 100, "CHF": 95})

    def write_rates(self, rates: Mapping[str, int]) -> None:
        """What the lookup knows, from the next call on."""
        new = self.root / "facts" / "new"
        new.write_text(json.dumps(rates))
        new.replace(self.root / "facts" / "rates.json")

    def go_away(self) -> None:
        """Have every call fail."""
        (self.root / "facts" / "away").touch()

    def come_back(self) -> None:
        """Have calls succeed again."""
        (self.root / "facts" / "away").unlink()

    def calls(self) -> list[list[str]]:
        """The keys of each call so far."""
        path = self.root / "facts" / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def write_day(self, number: int, currencies: Mapping[str, Sequence[str | None]]) -> None:
        """Write a day of the archive: an event of each type for each of its currencies."""
        values = [value for name, each in currencies.items() for value in events(name, number, each)]
        path = self.root / "data" / f"day={day(number)}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"value": pa.array(values, pa.binary())}), path)

    def rates(self) -> dict[str, int | None]:
        """The rate of each row that counts, by event."""
        rows = merge.read(self.table).select(["event_id", "rate"]).to_pylist()
        return {row["event_id"]: row["rate"] for row in sorted(rows, key=lambda row: row["event_id"])}

    def lineage(self) -> dict[str, Any]:
        """The moment at which each row that counts was made, by event."""
        rows = merge.read(self.table).select(["event_id", "_ingested_at"]).to_pylist()
        return {row["event_id"]: row["_ingested_at"] for row in rows}


def events(name: str, number: int, currencies: Sequence[str | None]) -> list[bytes]:
    """Events of a type on a day, one a currency."""
    return [
        msgspec.json.encode(
            {"event_type": name, "event_id": f"{name}-{number}-{at}", "at": f"{day(number)}T12:00:00Z"}
            | ({} if currency is None else {"currency": currency})
        )
        for at, currency in enumerate(currencies)
    ]
