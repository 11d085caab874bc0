"""Every back-end of lookups with the same facts: how it is filled, named in a pipeline file, and made to fail."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import redis
from deltalake import write_deltalake

from tests.support.databases import FilledDatabase
from tests.support.fact_service import FactService, Reply
from tests.support.fault_front import FaultFront
from trivium import Answer, LookupRequest, LookupUnavailable, RemoteLookupSettings
from trivium.core.clock import Deadline
from trivium.types.spec import UTC_MICROSECONDS

FactRow = dict[str, Any]
KEYS: Final = {"plain": ("id",), "pairs": ("id", "land"), "dated": ("id",)}
"""The kinds of tables of facts, and the columns of their keys."""


def moment(day: int) -> datetime:
    """The beginning of a day of March 2026."""
    return datetime(2026, 3, day, tzinfo=UTC)


ROWS: Final[dict[str, list[FactRow]]] = {
    "plain": [{"id": key, "name": name} for key, name in (("a", "apple"), ("b", "bread"), ("c", "corn"))],
    "pairs": [{"id": "a", "land": land, "name": name} for land, name in (("no", "eple"), ("de", "Apfel"))],
    "dated": [{"id": "a", "since": moment(day), "name": name} for day, name in ((1, "early"), (3, "late"))],
}
_TYPES: Final = {"since": UTC_MICROSECONDS, "size": pa.int64()}


class Backend(ABC):
    """One back-end. `remote` ones are called; others are read whole when they are opened, and again beside the path.

    `fails` names the ways in which it can fail; `timed` says whether it has facts as of a time.
    """

    name: str
    remote: ClassVar[bool] = True
    timed: ClassVar[bool] = True

    @abstractmethod
    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        """Make these all rows of a table."""

    @abstractmethod
    def section(self, table: str) -> dict[str, Any]:
        """Return the section of a table in the pipeline file."""

    @property
    def port(self) -> int:
        """The port at which it is called, 0 where there is none."""
        front = getattr(self, "_front", None)
        return 0 if front is None else front.port

    def slow(self) -> AbstractContextManager[Any]:
        """Answer nothing meanwhile."""
        raise NotImplementedError

    def erring(self) -> AbstractContextManager[Any]:
        """Answer calls with an error that passes meanwhile."""
        raise NotImplementedError

    def gone(self) -> AbstractContextManager[Any]:
        """Be away meanwhile, with all connections."""
        raise NotImplementedError

    def refused(self, table: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return a section with credentials that are refused, and the values of its secrets."""
        raise NotImplementedError


def columns_of(rows: Sequence[FactRow]) -> pa.Table:
    """Return rows as columns, a text where nothing else is said."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = [pa.array([row.get(name) for row in rows], _TYPES.get(name, pa.string())) for name in names]
    return pa.table(arrays, names=names)


class FileBackend(Backend):
    """Parquet, CSV or Delta in a folder."""

    remote = False

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder

    def path(self, table: str) -> Path:
        """Return where a table is."""
        return self._folder / f"{table}.{self.name}"

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        found = columns_of(rows)
        if self.name == "delta":
            write_deltalake(self.path(table), found, mode="overwrite", schema_mode="overwrite")
        elif self.name == "parquet":
            pq.write_table(found, self.path(table))
        else:
            with self.path(table).open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(found.column_names)
                writer.writerows(_texts(row) for row in found.to_pylist())

    def section(self, table: str) -> dict[str, Any]:
        timed = {"valid_from": "since"} if table == "dated" else {}
        return {"type": self.name, "path": str(self.path(table)), "key": list(KEYS[table]), **timed}


def _texts(row: FactRow) -> list[str]:
    return [
        "" if each is None else each.isoformat() if isinstance(each, datetime) else str(each) for each in row.values()
    ]


class RedisBackend(Backend):
    """Valkey behind a front."""

    name = "redis"
    timed = False

    def __init__(self, store: redis.Redis, front: FaultFront) -> None:
        self._store, self._front = store, front

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        self._store.flushall()
        for row in rows:
            name = ":".join([table, *(str(row[each]) for each in KEYS[table])])
            self._store.set(name, json.dumps({key: value for key, value in row.items() if key not in KEYS[table]}))

    def section(self, table: str) -> dict[str, Any]:
        key = ":".join([table, *(f"{{{at}}}" for at in range(len(KEYS[table])))])
        return {"type": "redis", "host": "127.0.0.1", "port": self._front.port, "key": key}

    def slow(self) -> AbstractContextManager[Any]:
        return self._front.held()

    @contextmanager
    def erring(self) -> Iterator[None]:
        self._store.config_set("replica-serve-stale-data", "no")
        self._store.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            self._store.replicaof("NO", "ONE")

    def gone(self) -> AbstractContextManager[Any]:
        return self._front.gone()

    def refused(self, table: str) -> tuple[dict[str, Any], dict[str, str]]:
        return {**self.section(table), "username": "nobody", "password": "${PW}"}, {"PW": "not-the-password"}


class SqlBackend(Backend):
    """SQLite, or PostgreSQL behind a front."""

    def __init__(self, database: FilledDatabase, front: FaultFront | None = None) -> None:
        self.name, self._database, self._front = database.name, database, front

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        found, many = columns_of(rows), self.name == "postgresql"
        kinds = {"since": "timestamptz" if many else "text", "size": "bigint"}
        columns = ", ".join(f"{name} {kinds.get(name, 'text')}" for name in found.column_names)
        created = [f"drop table if exists {table}", f"create table {table} ({columns})"]
        zone = "+00" if many else ""
        values = (", ".join(_literal(each, zone) for each in row.values()) for row in found.to_pylist())
        self._database.run(*created, *(f"insert into {table} values ({each})" for each in values))

    def section(self, table: str) -> dict[str, Any]:
        timed = {"valid_from": "since"} if table == "dated" else {}
        place = dict(self._database.section)
        if self._front is not None:
            place["uri"] = self._uri()
        return {"type": "sql", "table": table, "key": list(KEYS[table]), **place, **timed}

    @contextmanager
    def slow(self) -> Iterator[None]:
        if self._front is not None:
            with self._front.held():
                yield
            return
        with self._locked():
            yield

    @contextmanager
    def erring(self) -> Iterator[None]:
        """PostgreSQL says that it has no connection left; SQLite has no error that passes but a lock."""
        if self.name == "sqlite":
            with self._locked():
                yield
            return
        body = "begin raise exception using errcode = '53300', message = 'too many connections'; end"
        self._at_once(
            "alter table plain rename to kept",
            f"create function boom() returns text language plpgsql as $boom${body}$boom$",
            "create view plain as select id, boom() as name from kept",
        )
        try:
            yield
        finally:
            self._at_once("drop view plain", "drop function boom", "alter table kept rename to plain")

    @contextmanager
    def gone(self) -> Iterator[None]:
        if self._front is not None:
            with self._front.gone():
                yield
            return
        with self._locked():
            yield

    def refused(self, table: str) -> tuple[dict[str, Any], dict[str, str]]:
        self._database.run("drop role if exists reader", "create role reader login password 'the-right-one'")
        rules = Path(self._database.value("select current_setting('hba_file')"))
        rules.write_text(f"local all reader scram-sha-256\n{rules.read_text()}")
        self._database.run("select pg_reload_conf()")
        parts = urlsplit(self._uri())
        address = parts.netloc.rpartition("@")[2]
        uri = parts._replace(netloc=f"reader@{address}").geturl()
        return {**self.section(table), "uri": uri, "password": "${PW}"}, {"PW": "not-the-password"}

    def _at_once(self, *statements: str) -> None:
        self._database.run(f"do $do$ begin {'; '.join(statements)}; end $do$")

    def _uri(self) -> str:
        assert self._front is not None
        parts = urlsplit(self._database.section["uri"])
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}@127.0.0.1:{self._front.port}", query="").geturl()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file in another process: locks of two libraries in one process are none to each other."""
        command = [sys.executable, "-c", _LOCK, self._database.target]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.stdin.close()


_LOCK: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


def _literal(value: Any, zone: str) -> str:
    if value is None:
        return "null"
    return f"'{value:%Y-%m-%d %H:%M:%S}{zone}'" if isinstance(value, datetime) else f"'{value}'"


class HttpBackend(Backend):
    """A service behind a front."""

    name = "http"
    timed = False

    def __init__(self, service: FactService, front: FaultFront) -> None:
        self._service, self._front = service, front

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        names = KEYS[table]
        single = len(names) == 1
        self._service.always = None
        self._service.key_of = (lambda key: key) if single else lambda key: tuple(key.values())
        self._service.rows = {row["id"] if single else tuple(row[name] for name in names): row for row in rows}

    def section(self, table: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._front.port}/facts"
        return {"type": "http", "url": url, "key": [f"/{name}" for name in KEYS[table]]}

    def slow(self) -> AbstractContextManager[Any]:
        return self._front.held()

    def erring(self) -> AbstractContextManager[Any]:
        return self._replying(503)

    def gone(self) -> AbstractContextManager[Any]:
        return self._front.gone()

    def refused(self, table: str) -> tuple[dict[str, Any], dict[str, str]]:
        self._service.always = Reply(401, b"not-the-password is wrong")
        return {**self.section(table), "secret_headers": {"authorization": "${PW}"}}, {"PW": "not-the-password"}

    @contextmanager
    def _replying(self, status: int) -> Iterator[None]:
        self._service.always = Reply(status, b"{}")
        try:
            yield
        finally:
            self._service.always = None


class OwnFacts:
    """A lookup of a project's own, which a test fills; `trouble` is called before each answer."""

    class Settings(RemoteLookupSettings):
        """The section of the pipeline file."""

        table: str

    rows: ClassVar[list[FactRow]] = []
    trouble: ClassVar[Callable[[Deadline], Any]] = staticmethod(lambda _deadline: None)

    def __init__(self, settings: Settings, request: LookupRequest) -> None:
        self._keys, self._schema = KEYS[settings.table], request.schema

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        return self._answer(keys.to_pylist(), [None] * len(keys), deadline)

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        return self._answer(keys.to_pylist(), times.to_pylist(), deadline)

    def _answer(self, keys: list[Any], times: list[Any], deadline: Deadline) -> Answer:
        OwnFacts.trouble(deadline)
        index = [self._place(key, time) for key, time in zip(keys, times, strict=True)]
        return Answer(pa.RecordBatch.from_pylist(self.rows, self._schema), pa.array(index, pa.int32()))

    def _place(self, key: Any, time: datetime | None) -> int | None:
        values = tuple(key.values()) if isinstance(key, dict) else (key,)
        fits = [
            at
            for at, row in enumerate(self.rows)
            if tuple(row[name] for name in self._keys) == values and (time is None or row["since"] <= time)
        ]
        return fits[-1] if fits else None


class OwnBackend(Backend):
    """`module:Class` of a project."""

    name = "python"

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        OwnFacts.rows = list(rows)

    def section(self, table: str) -> dict[str, Any]:
        return {"type": f"{__name__}:OwnFacts", "table": table}

    @contextmanager
    def slow(self) -> Iterator[None]:
        over = threading.Event()
        with self._trouble(lambda deadline: _wait(over, deadline)):
            try:
                yield
            finally:
                over.set()

    def erring(self) -> AbstractContextManager[Any]:
        return self._trouble(_away)

    def gone(self) -> AbstractContextManager[Any]:
        return self._trouble(_away)

    @contextmanager
    def _trouble(self, what: Callable[[Deadline], Any]) -> Iterator[None]:
        OwnFacts.trouble = staticmethod(what)
        try:
            yield
        finally:
            OwnFacts.trouble = staticmethod(lambda _deadline: None)


def _wait(over: threading.Event, deadline: Deadline) -> None:
    if not over.wait(max(0.0, deadline.remaining())):
        raise LookupUnavailable("no answer in time")


def _away(_deadline: Deadline) -> None:
    raise LookupUnavailable("no route to the facts")
