"""Folder of the development broker: configuration, data, log, and the record of its process."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from subprocess import DEVNULL, Popen, run
from typing import Any, Final

from trivium.config.paths import project_root
from trivium.core.network import LOOPBACK, free_port
from trivium.devtools.broker.java import BrokerError, java_command
from trivium.devtools.broker.own_files import locked, open_to_append, write_whole
from trivium.devtools.broker.process import ProcessId

_LOG_TAIL: Final = 2_000
_LOG_BYTES: Final = 20 << 20
# Relative to the folder, in which Kafka runs: its properties can hold neither every letter nor a comma in a path.
_DATA: Final = "data"
_CONFIGURATION: Final = "server.properties"
_PROPERTIES: Final = f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{LOOPBACK}:$controller_port
listeners=PLAINTEXT://{LOOPBACK}:$port,CONTROLLER://{LOOPBACK}:$controller_port
advertised.listeners=PLAINTEXT://{LOOPBACK}:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={_DATA}

# One broker holds the only copy of everything.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# After a crash the controller waits for the session of the broker that died before it lets the next one in.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400

# A developer's machine: few threads, small buffers, nothing waits for company, a typing error makes no topic.
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
background.threads=2
group.initial.rebalance.delay.ms=0
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=500
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
log.initial.task.delay.ms=500
transaction.max.timeout.ms=900000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""


def work_folder(start: Path) -> Path:
    """Return the broker's folder of the project around `start`, or below `start` itself where there is no project."""
    root = project_root(start.resolve() / "file")
    return (root or start.resolve()) / ".trivium" / "kafka"


class BrokerFolder:
    """One folder, which one broker owns.

    `settings` are properties of Kafka that overrule the ones above; `$port` and `$controller_port` stand for the ports
    of its two listeners, `$$` for a dollar sign.
    """

    def __init__(self, path: Path, settings: Mapping[str, str] | None = None) -> None:
        self.path, self._settings = path.absolute(), dict(settings or {})
        self.log, self.data = self.path / "broker.log", self.path / _DATA
        self._state = self.path / "broker.json"

    def process(self) -> ProcessId | None:
        """Return the broker's process; None while it is down."""
        state = self._last()
        process = ProcessId(state["pid"], state["started"]) if state else None
        return process if process and process.lives() else None

    def port(self) -> int | None:
        """Return the port it listens on, or listened on last; None before its first start."""
        port: int | None = self._last().get("port")
        return port

    def cluster(self) -> str | None:
        """Return the identity of the data; None where there is none yet."""
        path = self.data / "meta.properties"
        found = re.search(r"^cluster\.id=(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
        return found[1] if found else None

    def log_tail(self) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - _LOG_TAIL, 0))
            return log.read(_LOG_TAIL).decode(errors="replace").strip()

    def launch(self, port: int) -> None:
        """Start a process, which lives on when this one ends, on the data there is, or on a new, empty log.

        Raises:
            BrokerError: Kafka cannot be got, or cannot use the folder.
        """
        java = java_command("kafka.Kafka")
        self._configure(port)
        if self.cluster() is None:
            self._format()
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with os.fdopen(open_to_append(self.log), "a") as log:
            process = Popen(
                [*java, _CONFIGURATION],
                cwd=self.path,
                env=_environment(),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        identity = ProcessId.of(process.pid)
        self._remember({"pid": identity.pid, "started": identity.started, "port": port})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of this broker: one process at a time starts or ends it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path / "lock"):
            yield

    def _configure(self, port: int) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / ".gitignore", "*\n")
        own = "".join(f"{name}={value}\n" for name, value in self._settings.items())
        text = Template(_PROPERTIES + own).substitute(port=port, controller_port=free_port())
        write_whole(self.path / _CONFIGURATION, text)

    def _format(self) -> None:
        command = [*java_command("kafka.tools.StorageTool"), "format", "--cluster-id", uuid.uuid4().hex[:22]]
        command += ["--config", _CONFIGURATION]
        done = run(command, cwd=self.path, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-_LOG_TAIL:]
            raise BrokerError(f"expected Kafka to make {self.data} ready for its data, got: {said}")

    def _remember(self, state: dict[str, Any]) -> None:
        # Whoever reads meanwhile, without the lock, finds the old state or the new one, never a piece.
        write_whole(self._state, json.dumps(state) + "\n")

    def _last(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state


def _environment() -> dict[str, str]:
    """Return this process's environment, with a locale in which Java can name any folder."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}
