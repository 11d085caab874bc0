"""Lookups of other systems called from many threads: each gets its own answers, over as few connections as calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.databases import postgresql, sqlite
from tests.support.fact_service import fact_service
from tests.support.remote_facts import answered, bound
from tests.support.valkey_server import client, valkey
from trivium import LookupSettings, Row
from trivium.config.model.remote_lookups import HttpLookupSettings, RedisLookupSettings, SqlLookupSettings
from trivium.connectors import open_lookup
from trivium.core.clock import SystemClock

THREADS = 8
KEYS = 400


class Named(Row):
    name: str


@pytest.fixture(params=["redis", "sqlite", "postgresql", "http"])
def section(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LookupSettings]:
    """A section whose system has the name `name N` for each key N."""
    if request.param == "redis":
        with valkey(tmp_path) as server, client(server) as store:
            store.mset({str(at): json.dumps({"name": f"name {at}"}) for at in range(KEYS)})
            yield RedisLookupSettings(type="redis", host="127.0.0.1", port=server.port, key="{id}")
    elif request.param == "http":
        with fact_service() as service:
            service.rows = {str(at): {"id": str(at), "name": f"name {at}"} for at in range(KEYS)}
            yield HttpLookupSettings.model_validate({"type": "http", "url": service.url, "key": "/id"})
    else:
        values = ", ".join(f"('{at}', 'name {at}')" for at in range(KEYS))
        filled = ("create table facts (id text, name text)", f"insert into facts values {values}")
        whole: dict[str, Any] = {"type": "sql", "table": "facts", "key": "id"}
        if request.param == "sqlite":
            database = sqlite(tmp_path)
            database.run(*filled)
            yield SqlLookupSettings.model_validate({**whole, **database.section})
            return
        with postgresql(tmp_path) as server:
            server.run(*filled)
            yield SqlLookupSettings.model_validate({**whole, **server.section})


def test_threads_get_their_own_answers_and_leave_few_connections(section: LookupSettings) -> None:
    lookup: Any = open_lookup(bound(section, Named), SystemClock())
    before = psutil.Process().num_fds()

    def ask(start: int) -> bool:
        keys = [str(at) for at in range(start, start + 50)]
        expected = [{"name": f"name {at}"} if at < KEYS else None for at in range(start, start + 50)]
        return answered(lookup, keys) == expected

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(ask, [start % KEYS for start in range(0, 25 * 160, 25)]))
    assert psutil.Process().num_fds() <= before + 3 * THREADS
    lookup.close()
    assert psutil.Process().num_fds() <= before + THREADS
