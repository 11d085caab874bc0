"""What a run gives its HAProxy: names nobody else has, and a configuration put right before it is read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from trivium.config.serving_model import Serving
from trivium.runtimes.serving.proxy import free_ports, haproxy_settings, proxy_environment, taken

RENDERED = """\
defaults
    errorfile 502 /serve/500.http
    errorfile 503 /serve/500.http
    errorfile 504 /serve/500.http
frontend prometheus
    bind :{metrics}
frontend http_frontend
    bind *:8000
frontend other
    bind 127.0.0.1:8001
listen stats
  bind *:{stats}
  stats enable
"""


def test_the_configuration_is_put_right_and_haproxy_gets_its_arguments(tmp_path: Path) -> None:
    ports = free_ports()
    settings = haproxy_settings(tmp_path, ports, Serving(route="/", retry_after_seconds=7))
    launcher = Path(settings["RAY_SERVE_HAPROXY_BINARY_PATH"])
    lines = launcher.read_text().splitlines()
    echo = tmp_path / "echo"
    echo.write_text("\n".join([*lines[:-1], 'printf "%s\\n" "$@"']))
    config = tmp_path / "h.cfg"
    config.write_text(RENDERED.format(stats=ports.stats, metrics=ports.metrics))

    said = subprocess.run(["sh", echo, "-db", "-f", config, "-sf", "1"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["-db", "-f", str(config), "-sf", "1"]
    assert lines[-1].startswith("exec ")
    expected = RENDERED.format(stats=ports.stats, metrics=ports.metrics)
    expected = expected.replace(f"bind :{ports.metrics}", f"bind 127.0.0.1:{ports.metrics}")
    expected = expected.replace(f"bind *:{ports.stats}", f"bind 127.0.0.1:{ports.stats}")
    for status in (502, 503, 504):
        expected = expected.replace(
            f"errorfile {status} /serve/500.http", f"errorfile {status} {tmp_path}/{status}.http"
        )
    assert config.read_text() == expected


@pytest.mark.parametrize("status", [502, 503, 504])
def test_its_own_errors_are_problems(status: int, tmp_path: Path) -> None:
    haproxy_settings(tmp_path, free_ports(), Serving(route="/", retry_after_seconds=7))
    head, _, body = (tmp_path / f"{status}.http").read_bytes().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"content-length: {len(body)}".encode() in head
    assert (b"retry-after: 7" in head) == (status == 503)
    assert json.loads(body)["status"] == status


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
        assert taken("127.0.0.1", held.getsockname()[1])
    assert not taken("127.0.0.1", 0)
