"""A run's HAProxy: names used by nobody else, and the proxies left by killed runs."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trivium.config.model.serving import Serving
from trivium.core.network import is_taken
from trivium.runtimes.serving.proxy.haproxy import proxy_environment
from trivium.runtimes.serving.proxy.launcher import started
from trivium.runtimes.serving.proxy.orphans import SETTINGS, end_orphans, owner_of_this_run


def test_two_runs_share_nothing() -> None:
    section = Serving(route="/")
    with proxy_environment("haproxy", section) as one, proxy_environment("haproxy", section) as other:
        shared = {name for name in one if one[name] == other[name]}
        assert not [name for name in shared if name.endswith(("PATH", "PORT", "LOC", "FILE", "BASE"))]
        folder = Path(one["RAY_SERVE_HAPROXY_SOCKET_PATH"]).parent
        assert folder.stat().st_mode & 0o077 == 0
        # The kernel takes 107 characters; Serve adds a node's id, and HAProxy its own name while it takes over.
        assert len(str(folder / ("0" * 56) / "a.sock.1234567.tmp")) < 107
    assert not folder.exists()


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_HAPROXY_NBTHREAD", "7")
    with proxy_environment("haproxy", Serving(route="/")) as environment:
        assert environment["RAY_SERVE_HAPROXY_NBTHREAD"] == "7"


def test_serves_own_proxy_needs_nothing_but_that_haproxy_is_off() -> None:
    with proxy_environment("plain", Serving(route="/")) as environment:
        assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
        assert not [name for name in environment if "HAPROXY" in name]
    assert "RAY_SERVE_ENABLE_HA_PROXY" not in os.environ


def test_a_port_in_use_is_seen() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert is_taken(held.getsockname()[1])
    assert not is_taken(0)


@pytest.mark.parametrize("descriptors", [1024, 4096, 20_000])
def test_as_many_connections_as_there_are_descriptors_for(descriptors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, descriptors))
    with proxy_environment("haproxy", Serving(route="/")) as environment:
        assert 100 <= int(environment["RAY_SERVE_HAPROXY_MAXCONN"]) * 2.5 <= descriptors


class Pretended:
    """A process whose command line reads as that of a proxy with its configuration in this folder."""

    def __init__(self, folder: Path) -> None:
        program = "import time; print(1, flush=True); time.sleep(60)"
        command = [sys.executable, "-c", program, "-f", f"{folder}/node/h.cfg"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def __enter__(self) -> Pretended:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def run_folder(parent: Path, owner: object) -> Path:
    folder = parent / f"trivium-{len(list(parent.iterdir()))}"
    folder.mkdir()
    (folder / SETTINGS).write_text(json.dumps({"owner": owner}))
    return folder


def test_the_proxy_of_a_run_that_was_killed_is_ended_and_its_folder_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    over = run_folder(tmp_path, {"pid": dead.pid, "started": "1"})
    with Pretended(over) as left:
        assert end_orphans(tmp_path, "trivium-") == [left.process.pid]
        assert left.process.wait(5) == -signal.SIGKILL
    assert not over.exists()


def test_what_is_not_proven_to_be_such_a_proxy_is_left_alone(tmp_path: Path) -> None:
    living = run_folder(tmp_path, owner_of_this_run())
    silent, odd, elsewhere = (run_folder(tmp_path, owner) for owner in (None, {"pid": "x"}, {"pid": 1, "started": "x"}))
    (tmp_path / "trivium-link").symlink_to(elsewhere)
    elsewhere.rename(tmp_path / "other")
    folders = [living, silent, odd, tmp_path / "other", tmp_path / "trivium-3x"]
    with Pretended(living) as one, Pretended(silent) as two, Pretended(tmp_path / "trivium-99") as three:
        assert end_orphans(tmp_path, "trivium-") == []
        assert [each.process.poll() for each in (one, two, three)] == [None] * 3
    assert [folder.exists() for folder in folders] == [True] * 4 + [False]


def test_a_process_of_the_same_number_is_another_one() -> None:
    assert started(os.getpid()) == owner_of_this_run()["started"] != ""
    assert started(2**22 + 1) == ""
