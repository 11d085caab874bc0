"""The servers behind lookups that call out, each started at its first use, and each behind a front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.support.databases import postgresql, sqlite
from tests.support.fact_backends import Backend, HttpBackend, OwnBackend, RedisBackend, SqlBackend
from tests.support.fact_service import fact_service
from tests.support.fault_front import FaultFront
from tests.support.valkey_server import client, valkey

REMOTE: Final = ("redis", "sqlite", "postgresql", "http", "python")


@contextmanager
def fact_servers(folder: Path) -> Iterator[Callable[[str], Backend]]:
    """Yield what returns a back-end by its name."""
    started: dict[str, Backend] = {}
    with ExitStack() as stack:

        def front(target: int | str) -> FaultFront:
            made = FaultFront(target)
            stack.callback(made.close)
            return made

        def start(name: str) -> Backend:
            own = folder / name
            own.mkdir()
            if name == "python":
                return OwnBackend()
            if name == "sqlite":
                return SqlBackend(sqlite(own))
            if name == "redis":
                server = stack.enter_context(valkey(own))
                return RedisBackend(stack.enter_context(client(server)), front(server.port))
            if name == "postgresql":
                database = stack.enter_context(postgresql(own))
                return SqlBackend(database, front(database.socket))
            service = stack.enter_context(fact_service())
            return HttpBackend(service, front(service.port))

        def get(name: str) -> Backend:
            if name not in started:
                started[name] = start(name)
            return started[name]

        yield get
