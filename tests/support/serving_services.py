"""Services as people start them: `trivium run serving` in a process of its own, and clients that keep asking."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.support.tick_project import tick

START_SECONDS = 120.0
STOP_SECONDS = 60.0


class RunningService:
    """A service, from its first answer to its end."""

    def __init__(self, config: Path, *options: str, **environ: str) -> None:
        self.config, self._options, self._environ = config, options, environ
        self.shown: dict[str, str] = {}

    def __enter__(self) -> RunningService:
        self._log = (self.config.parent / "service.log").open("ab")
        self._process = subprocess.Popen(
            self._command("--port", "0", *self._options),
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        alarm = threading.Timer(START_SECONDS, self._process.kill)
        alarm.start()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, _, text = line.strip().partition("  ")
            self.shown[name] = text.strip()
            if name == "try":
                break
        alarm.cancel()
        assert "try" in self.shown, f"no service: {self.log()[-3000:]}"
        self.url = urlsplit(self.shown["serving"])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.ask_to_stop()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as for lack of memory."""
        self._process.kill()
        self._process.wait()

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(STOP_SECONDS)

    def redeploy(self) -> None:
        """Put the pipeline as its file is now in the place of the running one, by the command the service showed."""
        address, environ = self._way_in()
        command = self._command("--address", address)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def metrics(self) -> str:
        """What the cluster's agents export."""
        address, environ = self._way_in()
        ports = "[node['MetricsExportPort'] for node in ray.nodes()]"
        program = f"import json, ray; ray.init({address!r}, log_to_driver=False); print(json.dumps({ports}))"
        command = [sys.executable, "-c", program]
        said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
        found = [f"http://127.0.0.1:{port}/metrics" for port in json.loads(said.splitlines()[-1])]
        return "".join(urllib.request.urlopen(url, timeout=10).read().decode() for url in found)

    def _way_in(self) -> tuple[str, dict[str, str]]:
        """The cluster's address, and the variables a process needs to enter it, as the service shows them."""
        words = shlex.split(self.shown["redeploy"])
        told = dict(word.split("=", 1) for word in words[: words.index("trivium")])
        return words[-1], {**self._variables(), **told}

    def log(self) -> str:
        """What it said on standard error so far."""
        return (self.config.parent / "service.log").read_text()

    def replicas(self) -> set[int]:
        """The processes alive that have loaded the executor."""
        folder = self.config.parent.parent / "pids"
        loaded = {int(path.name) for path in folder.iterdir()} if folder.is_dir() else set()
        return {pid for pid in loaded if _is_replica(pid)}

    def post(self, value: Any, path: str = "/v1/events", timeout: float = 30.0, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(str(self.url.hostname), self.url.port, timeout=timeout)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            connection.request("POST", self.url.path + path, body, {"content-type": "application/json", **named})
            response = connection.getresponse()
            return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """One request for something to read."""
        return self.at(self.url.path + path)

    def at(self, path: str, **headers: str) -> Answer:
        """One request for something to read, at a path from the root on."""
        connection = http.client.HTTPConnection(str(self.url.hostname), self.url.port, timeout=30)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def _command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "trivium.cli.main", "run", "serving", str(self.config), *options]

    def _variables(self) -> dict[str, str]:
        platform = Path(__file__).parents[2] / "platform"
        kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        return {**kept, "PYTHONPATH": str(platform), **self._environ}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Load:
    """Clients that ask one after the other until the load ends, and what became of it. Times are monotonic seconds."""

    service: RunningService
    clients: int = 4
    pause: float = 0.01
    good: list[tuple[float, str]] = field(default_factory=list)
    bad: list[tuple[float, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def longest_hole(self) -> float:
        """The longest time without a good answer, in seconds."""
        times = sorted(at for at, _ in self.good)
        return max(later - earlier for earlier, later in pairwise(times))

    def plans(self) -> list[str]:
        """The plans that answered, in the order of their first answer."""
        return list(dict.fromkeys(plan for _, plan in sorted(self.good)))

    def _ask(self, client: int) -> None:
        number = client
        while not self._over.wait(self.pause):
            number += self.clients
            try:
                answer = self.service.post([tick(number), tick(number + 1)])
            except OSError as error:
                self.bad.append((time.monotonic(), repr(error)))
                continue
            at = time.monotonic()
            if answer.status != 200:
                self.bad.append((at, f"{answer.status} {answer.body[:200]!r}"))
                continue
            self.good.append((at, answer.headers["trivium-plan"]))
            rows = [row for each in answer.json()["events"] for row in each.get("rows", [])]
            if [row["doubled"] for row in rows] != [2 * number, 2 * number + 2]:
                self.wrong.append(f"{number}: {answer.body!r}")


def until(true: Any, seconds: float) -> float:
    """Wait until `true()` is; how long that took.

    Raises:
        TimeoutError: it did not become true.
    """
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - began


def _is_replica(pid: int) -> bool:
    try:
        return b"ServeReplica" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
