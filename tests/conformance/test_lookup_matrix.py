"""Every back-end of lookups under every condition gives equal rows in all runtimes, or the difference written here."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from ray import serve

from tests.support.fact_backends import ROWS, Backend, FileBackend
from tests.support.fact_orders import SHAPES, items, opened, order
from tests.support.fact_servers import REMOTE, fact_servers
from tests.support.processes import until
from tests.support.runtime_hosts import RUNTIMES, Host, Made
from tests.support.served_backend import ServeBackend
from trivium import RetryPolicy
from trivium.core.errors import LookupAnswerError, LookupOutage, RunError

FILES: Final = ("parquet", "csv", "delta")
MISSING, NULL_KEY, UNAVAILABLE = ({"fact": state} for state in ("missing", "null_key", "unavailable"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Backend]]:
    with fact_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
def served(ray_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    yield ServeBackend(tmp_path_factory.mktemp("served"))
    serve.shutdown()


@pytest.fixture
def backend(request: pytest.FixtureRequest, servers: Callable[[str], Backend], tmp_path: Path) -> Backend:
    """A back-end with the plain facts."""
    name = request.param
    if name == "serve":
        made: Backend = request.getfixturevalue("served")
    else:
        made = FileBackend(name, tmp_path) if name in FILES else servers(name)
    made.put("plain", ROWS["plain"])
    return made


DIFFERENCES: Final[dict[tuple[str, str], str]] = {
    ("redis", "as of"): "a Redis key holds one value, and nothing that says since when it is valid",
    ("serve", "as of"): "the method of a deployment takes keys, and no times",
    ("serve", "gone"): "a deployment takes seconds to come back: tests/connectors/serve kills and deletes it",
    ("serve", "refused"): "a cluster asks its own processes for no credentials",
    ("http", "as of"): "the protocol of keys and rows has no times",
    ("sqlite", "erring"): "the trouble of a file that passes is a lock, which is slow",
    ("sqlite", "gone"): "as above; a file that is open stays open",
    ("sqlite", "refused"): "a file has no credentials",
    ("python", "refused"): "a lookup of one's own says itself what it refuses",
}
"""The conditions that a back-end cannot be in, or answers otherwise, and the reason of each."""
SERVE = pytest.param("serve", marks=pytest.mark.xdist_group("ray_cluster"))
EVERY = pytest.mark.parametrize("backend", [*FILES, *REMOTE, SERVE], indirect=True)

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


CALLED = pytest.mark.parametrize("backend", [*REMOTE, SERVE], indirect=True)
READ = pytest.mark.parametrize("backend", FILES, indirect=True)
ERRING = pytest.mark.parametrize("backend", [*(name for name in REMOTE if name != "sqlite"), SERVE], indirect=True)
TROUBLES: Final = [
    pytest.param(name, trouble, marks=SERVE.marks if name == "serve" else ())
    for name in (*REMOTE, "serve")
    for trouble in ("slow", "erring", "gone")
    if (name, trouble) not in DIFFERENCES
]
IN_TROUBLE = pytest.mark.parametrize(("backend", "trouble"), TROUBLES, indirect=["backend"])
AGAIN: Final = RetryPolicy(attempts=6, first_delay_seconds=0.2, factor=1.0, deadline_seconds=5.0)
BROKEN: Final = (LookupAnswerError, RunError)
"""The error of a lookup that is opened, and of a run or a request whose lookup answers what cannot be used."""


@IN_TROUBLE
def test_a_back_end_in_trouble_is_unavailable_and_then_answers_again(backend: Backend, trouble: str) -> None:
    seconds = 0.7 if trouble == "slow" else 5.0
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime, unavailable="missing", timeout_seconds=seconds)) as host:
            assert host.run(items("a")) == [("apple", None)], runtime
            with getattr(backend, trouble)():
                found = host.run(items("a", "b", "zz", None))
            expected = [("apple", None), (None, UNAVAILABLE), (None, UNAVAILABLE), (None, NULL_KEY)]
            assert found == expected, runtime
            assert host.run(items("b", "a", "zz")) == [("bread", None), ("apple", None), (None, MISSING)], runtime


@IN_TROUBLE
def test_trouble_that_flaps_in_time_is_seen_by_nobody(backend: Backend, trouble: str) -> None:
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime, retry=AGAIN, timeout_seconds=5.0)) as host:
            for keys in (("a", "b"), ("c", "zz")):
                with for_a_while(getattr(backend, trouble)(), 0.1):
                    found = host.run(items(*keys))
                assert found == [(NAMES.get(key), None if key in NAMES else MISSING) for key in keys], runtime


NAMES: Final = {row["id"]: row["name"] for row in ROWS["plain"]}


@contextmanager
def for_a_while(trouble: AbstractContextManager[Any], seconds: float) -> Iterator[None]:
    """Hold trouble for some seconds, while the block runs; what holds it must be one thread's."""
    began, over = threading.Event(), threading.Event()

    def hold() -> None:
        with trouble:
            began.set()
            over.wait(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert began.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join()


@ERRING
def test_without_a_back_end_a_run_ends_and_a_request_is_refused(backend: Backend) -> None:
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime)) as host:
            with backend.erring(), pytest.raises(LookupOutage, match=r"lookup facts stayed unavailable: .+Try: "):
                host.run(items("a"))
            assert host.run(items("a")) == [("apple", None)], runtime


@ERRING
def test_events_wait_for_a_back_end_and_requests_do_not(backend: Backend) -> None:
    """The difference between runtimes: nobody waits behind a request."""
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime, unavailable="wait")) as host, for_a_while(backend.erring(), 0.5):
            if runtime == "serving":
                with pytest.raises(LookupOutage):
                    host.run(items("a"))
            else:
                assert host.run(items("a", "zz")) == [("apple", None), (None, MISSING)], runtime


@EVERY
def test_a_malformed_fact_is_an_error_that_names_it(backend: Backend) -> None:
    backend.put("plain", [{"id": "a", "name": None}, {"id": "b", "name": "bread"}])
    for runtime in RUNTIMES:
        with pytest.raises(BROKEN, match=r"facts.*name") as caught:
            answered(backend, runtime, backend.section("plain"))
        assert "Try: " in str(caught.value), runtime


def answered(backend: Backend, runtime: str, section: dict[str, Any], **secrets: str) -> None:
    """Open a lookup and let it answer; files that cannot be used are refused before."""
    with closing(opened(backend, runtime, section=(section, secrets))) as host:
        assert backend.name not in FILES
        host.run(items("a"))


@CALLED
def test_refused_credentials_are_an_error_without_them(backend: Backend) -> None:
    if (backend.name, "refused") in DIFFERENCES:
        return
    section, secrets = backend.refused("plain")
    for runtime in RUNTIMES:
        with pytest.raises(BROKEN, match=r"lookup facts: .*Try: ") as caught:
            answered(backend, runtime, section, **secrets)
        assert "not-the-password" not in f"{caught.value!r} {caught.value.__cause__!r}", runtime


@EVERY
def test_columns_that_are_more_change_nothing(backend: Backend) -> None:
    for runtime in RUNTIMES:
        backend.put("plain", ROWS["plain"])
        with closing(opened(backend, runtime)) as host:
            assert host.run(items("a")) == [("apple", None)], runtime
            backend.put("plain", [{"size": 1, "name": row["name"], "id": row["id"]} for row in ROWS["plain"]])
            assert host.run(items("a", "b", "zz")) == [("apple", None), ("bread", None), (None, MISSING)], runtime


@CALLED
def test_a_declared_column_that_goes_is_an_error_that_names_it(backend: Backend) -> None:
    for runtime in RUNTIMES:
        backend.put("plain", ROWS["plain"])
        with closing(opened(backend, runtime, unavailable="missing")) as host:
            assert host.run(items("a")) == [("apple", None)], runtime
            backend.put("plain", [{"id": row["id"], "title": row["name"]} for row in ROWS["plain"]])
            with pytest.raises(BROKEN, match=r"facts.*name"):
                host.run(items("a", "b"))


@READ
@pytest.mark.parametrize("change", ["column goes", "file goes", "no file any more"])
def test_old_facts_answer_where_new_ones_cannot_be_read(
    backend: FileBackend, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The difference of files: they are read whole, so trouble later is in nobody's way; batch reads one state."""
    for runtime in RUNTIMES:
        old = None if runtime == "batch" else {"fact": "stale"}
        expected = [("apple", old), ("bread", old), (None, MISSING)]
        shutil.rmtree(backend.path("plain"), ignore_errors=True)
        backend.put("plain", ROWS["plain"])
        with closing(opened(backend, runtime, refresh_seconds=0.05)) as host:
            caplog.clear()
            if change == "column goes":
                backend.put("plain", [{"id": row["id"], "title": row["name"]} for row in ROWS["plain"]])
            elif change == "file goes":
                backend.path("plain").rename(backend.path("gone"))
            else:
                spoil(backend.path("plain"))
            if runtime != "batch":
                until(lambda: "could not be looked at again" in caplog.text, "a look", 10)
            until(partial(gives, host, items("a", "b", "zz"), expected), "the old facts answer", 10)
        shutil.rmtree(backend.path("gone"), ignore_errors=True)


def gives(host: Host, events: Sequence[Any], expected: Sequence[Made]) -> bool:
    """Whether these events become this."""
    return host.run(events) == expected


def spoil(path: Path) -> None:
    """Make files of a lookup what cannot be read."""
    for each in [path] if path.is_file() else path.rglob("*.json"):
        each.write_bytes(b"\xff\x00no file of its kind")


@ERRING
def test_an_open_breaker_gives_the_same_states_in_all_runtimes(backend: Backend) -> None:
    breaker = {"window_calls": 2, "ratio": 0.5, "open_seconds": 0.1, "probes": 1}
    retry = RetryPolicy(attempts=2, first_delay_seconds=0.01, deadline_seconds=0.4)
    for runtime in RUNTIMES:
        with closing(opened(backend, runtime, retry=retry, breaker=breaker, unavailable="missing")) as host:
            with backend.erring():
                for _ in range(2):
                    assert host.run(items("a", None, "zz")) == AWAY, runtime
                assert host.clients["facts"].metrics().breaker_openings > 0, runtime
                assert host.run(items("a", None, "zz")) == AWAY, runtime
            until(partial(gives, host, items("a", None, "zz"), BACK), "calls go on", 10)


AWAY: Final = [(None, UNAVAILABLE), (None, NULL_KEY), (None, UNAVAILABLE)]
BACK: Final = [("apple", None), (None, NULL_KEY), (None, MISSING)]
