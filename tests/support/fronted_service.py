"""An application behind HAProxy as a run has it: Serve's own configuration, put right by the launcher, without Ray."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

from trivium.config.model.serving import Serving
from trivium.runtimes.serving.proxy.haproxy import Ports, free_ports, haproxy_settings

HOST = "127.0.0.1"
RELOAD_SECONDS = 0.7


class Server(uvicorn.Server):
    """An ASGI application on a free port, in a thread of its own."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.create_server((HOST, 0))
        self.port: int = self.socket.getsockname()[1]
        super().__init__(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=lambda: self.run([self.socket]))

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.should_exit = self.force_exit = True
        self._thread.join()


def rendered(folder: Path, port: int, servers: Sequence[int], section: Serving, ports: Ports) -> str:
    """The configuration that Serve renders for these servers; without any it knows of no routes."""
    api = HAProxyApi(
        HAProxyConfig(
            http_options=HTTPOptions(host=HOST, port=port),
            is_head=True,
            socket_path=str(folder / "n" / "a.sock"),
            server_state_base=str(folder / "n"),
            server_state_file=str(folder / "n" / "state"),
            metrics_enabled=False,
            timeout_client_s=math.ceil(section.body_seconds) + 1,
            stats_port=ports.stats,
            metrics_port=ports.metrics,
        ),
        config_file_path=str(folder / "n" / "h.cfg"),
    )
    made = [ServerConfig(f"s{number}", HOST, number) for number in servers]
    if made:
        api.set_backend_configs({"http-app": BackendConfig("http-app", section.route, servers=made, app_name="app")})
    api._generate_config_file_internal()  # noqa: SLF001 - what Serve calls at each start and reload
    return (folder / "n" / "h.cfg").read_text()


@dataclass
class Fronted:
    """HAProxy before servers on these ports."""

    folder: Path
    section: Serving
    servers: Sequence[int] = ()

    def __enter__(self) -> Fronted:
        self.ports = free_ports()
        settings = haproxy_settings(self.folder, self.ports, self.section)
        with socket.socket() as held:
            held.bind((HOST, 0))
            self.port = held.getsockname()[1]
        self.settings, self.config, self._old = settings, self.folder / "n" / "h.cfg", []
        self.config.write_text(rendered(self.folder, self.port, self.servers, self.section, self.ports))
        self.log = (self.folder / "haproxy.log").open("wb")
        self.process = self._started()
        self._wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in (self.process, *self._old):
            process.kill()
            process.wait()
        self.log.close()

    def reload(self, servers: Sequence[int]) -> None:
        """Put other servers behind it as Serve does: a new process takes the place of the one before."""
        self.config.write_text(rendered(self.folder, self.port, servers, self.section, self.ports))
        before = self.process
        self.process = self._started("-sf", str(before.pid), "-x", str(self.folder / "n" / "a.sock"))
        self._old.append(before)
        time.sleep(RELOAD_SECONDS)

    def exchange(self, *parts: bytes | float, wait: float = 10.0) -> Exchange:
        """What comes back for these bytes, with pauses where numbers stand, until the proxy closes or time is over."""
        with socket.create_connection((HOST, self.port), wait) as client:
            began = time.monotonic()
            received = b""
            try:
                for part in parts:
                    if isinstance(part, bytes):
                        client.sendall(part)
                    else:
                        time.sleep(part)
                while piece := client.recv(65_536):
                    received += piece
                closed = True
            except TimeoutError:
                closed = False
            except OSError:
                closed = True
            return Exchange(received, closed, time.monotonic() - began)

    def _started(self, *more: str) -> subprocess.Popen[bytes]:
        command = [self.settings["RAY_SERVE_HAPROXY_BINARY_PATH"], "-db", "-f", str(self.config), "-dR", *more]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def _wait(self) -> None:
        for _ in range(400):
            assert self.process.poll() is None, (self.folder / "haproxy.log").read_text()
            try:
                socket.create_connection((HOST, self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("HAProxy does not listen")


@dataclass(frozen=True)
class Exchange:
    """What came back, whether the connection ended, and after how long."""

    received: bytes
    closed: bool
    seconds: float

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    @property
    def head(self) -> dict[str, str]:
        """The headers of the first answer."""
        lines = self.received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def problem(self) -> Any:
        """The problem document that came back; an assertion fails if it is none."""
        assert self.head["content-type"] == "application/problem+json", self.received[:500]
        told = json.loads(self.received.partition(b"\r\n\r\n")[2])
        assert told["status"] == self.status
        return told
