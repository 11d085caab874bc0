"""Every back-end of lookups under every condition gives equal rows in all runtimes, or the difference written here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.databases import postgresql, sqlite
from tests.support.fact_backends import (
    ROWS,
    Backend,
    FileBackend,
    HttpBackend,
    OwnBackend,
    RedisBackend,
    SqlBackend,
)
from tests.support.fact_orders import SHAPES, items, opened, order
from tests.support.fact_service import fact_service
from tests.support.fault_front import FaultFront
from tests.support.runtime_hosts import RUNTIMES, Made
from tests.support.valkey_server import client, valkey

FILES: Final = ("parquet", "csv", "delta")
REMOTE: Final = ("redis", "sqlite", "postgresql", "http", "python")
MISSING, NULL_KEY, UNAVAILABLE = ({"fact": state} for state in ("missing", "null_key", "unavailable"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """What a name starts at its first use, for all tests of this file."""
    started: dict[str, Any] = {}
    with ExitStack() as stack:

        def front(port: int | str) -> FaultFront:
            made = FaultFront(port)
            stack.callback(made.close)
            return made

        def start(name: str) -> Any:
            folder = tmp_path_factory.mktemp(name)
            if name == "redis":
                server = stack.enter_context(valkey(folder))
                return RedisBackend(stack.enter_context(client(server)), front(server.port))
            if name == "postgresql":
                database = stack.enter_context(postgresql(folder))
                return SqlBackend(database, front(database.socket))
            service = stack.enter_context(fact_service())
            return HttpBackend(service, front(service.port))

        def get(name: str) -> Any:
            if name not in started:
                started[name] = start(name)
            return started[name]

        yield get


@pytest.fixture
def backend(request: pytest.FixtureRequest, servers: Callable[[str], Any], tmp_path: Path) -> Backend:
    """A back-end with the plain facts."""
    name = request.param
    if name in FILES:
        made: Backend = FileBackend(name, tmp_path)
    elif name == "sqlite":
        made = SqlBackend(sqlite(tmp_path))
    else:
        made = OwnBackend() if name == "python" else servers(name)
    made.put("plain", ROWS["plain"])
    return made


DIFFERENCES: Final[dict[tuple[str, str], str]] = {
    ("redis", "as of"): "a Redis key holds one value, and nothing that says since when it is valid",
    ("http", "as of"): "the protocol of keys and rows has no times",
}
"""The conditions that a back-end cannot be in, or answers otherwise, and the reason of each."""
EVERY = pytest.mark.parametrize("backend", [*FILES, *REMOTE], indirect=True)

# The conditions that every back-end answers: the kind of key, events, and the value and the states of each.
PLAIN: Final[dict[str, tuple[str, list[Any], list[Made]]]] = {
    "hit": ("plain", items("a", "b"), [("apple", None), ("bread", None)]),
    "absent": ("plain", items("zz", "a", ""), [(None, MISSING), ("apple", None), (None, MISSING)]),
    "duplicate keys": (
        "plain",
        items("a", "b", "a", "a", "zz", "zz"),
        [("apple", None), ("bread", None), ("apple", None), ("apple", None), (None, MISSING), (None, MISSING)],
    ),
    "null key": ("plain", items(None, "a", None), [(None, NULL_KEY), ("apple", None), (None, NULL_KEY)]),
    "list key": (
        "list",
        [order(0, items=["b", "a", "b"]), order(1, items=["a", "zz"]), order(2, items=[]), order(3)],
        [("bread+apple+bread", None), ("apple+-", MISSING), ("", None), (None, NULL_KEY)],
    ),
    "composite key": (
        "pairs",
        [order(0, item="a", land="no"), order(1, item="a", land="de"), order(2, item="b", land="no"), *items("a")],
        [("eple", None), ("Apfel", None), (None, MISSING), (None, NULL_KEY)],
    ),
    "as of": (
        "dated",
        [order(0, 2, item="a"), order(1, 3, item="a"), order(2, 9, item="a"), order(3, 9, item="b"), order(4)],
        [("early", None), ("late", None), ("late", None), (None, MISSING), (None, NULL_KEY)],
    ),
}


@EVERY
@pytest.mark.parametrize("condition", PLAIN)
def test_rows_are_equal_in_all_runtimes(backend: Backend, condition: str) -> None:
    shape, events, expected = PLAIN[condition]
    if shape == "dated" and not backend.timed:
        assert (backend.name, "as of") in DIFFERENCES
        return
    table = SHAPES[shape][0]
    backend.put(table, ROWS[table])
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime, shape)) as host:
            assert host.run(events) == expected, runtime
