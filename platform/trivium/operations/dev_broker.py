"""A real Apache Kafka for development and tests: one broker, loopback only, its data in a folder."""

from __future__ import annotations

import enum
import fcntl
import json
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from trivium.contract.clock import Clock, Deadline, SystemClock
from trivium.operations.dev_broker_java import BrokerError, java_command
from trivium.operations.dev_broker_process import LOOPBACK, ProcessId, free_port, port_is_free
from trivium.operations.errors import ArgumentError

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

_START_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 5.0
_LOG_TAIL: Final = 2_000
_CONFIGURATION: Final = Template("""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$host:$controller_port
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller_port
advertised.listeners=PLAINTEXT://$host:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$data

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
""")


class Ending(enum.Enum):
    """How a broker ended."""

    NOT_RUNNING = "was not running"
    STOPPED = "stopped"
    KILLED = "killed"


class DevBroker:
    """The broker of a folder, which holds its data, configuration, log and state; any process may start or end it.

    Lives on when the process that started it ends. `port` None: the port it had last, or a free one the first time.
    """

    def __init__(self, folder: Path, port: int | None = None, clock: Clock | None = None) -> None:
        self.folder, self._clock = folder.absolute(), clock or SystemClock()
        self.log_path, self.data_path = self.folder / "broker.log", self.folder / "data"
        self._state_path, self._configuration_path = self.folder / "broker.json", self.folder / "server.properties"
        self.port: int = port or self._state().get("port") or free_port()

    @property
    def servers(self) -> str:
        """Where it listens, as Kafka's clients want it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The number of its process; None while it is down."""
        process = self._process()
        return process.pid if process else None

    def start(self) -> bool:
        """Start it and wait until it answers; False if it was up already.

        Raises:
            ArgumentError: another program has the port, or the broker runs at another one.
            BrokerError: it cannot be got, ended at once, or does not answer; the end of its log is in the message.
        """
        with self._alone():
            if self._process():
                self._check_port()
                self._await_answer()
                return False
            if not port_is_free(self.port):
                raise ArgumentError(
                    f"port {self.port} of {LOOPBACK} is taken by another program. Try: another --port, or end it"
                )
            java = java_command("kafka.Kafka")
            self._configure()
            self._launch([*java, str(self._configuration_path)])
            self._await_answer()
            return True

    def stop(self, seconds: float = 20.0) -> Ending:
        """End it: ask first, kill it after so many seconds."""
        with self._alone():
            process = self._process()
            if process is None:
                return Ending.NOT_RUNNING
            process.send(signal.SIGTERM)
            # A process that is paused notices nothing else.
            process.send(signal.SIGCONT)
            if process.ended(Deadline.after(self._clock, seconds), self._clock):
                return Ending.STOPPED
            self._kill(process)
            return Ending.KILLED

    def kill(self) -> None:
        """End it without notice, as a crash does; it is gone on return."""
        if process := self._process():
            self._kill(process)

    def pause(self) -> None:
        """Let it hang: it keeps its port and its connections, and answers nothing until `resume`."""
        self._required().send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._required().send(signal.SIGCONT)

    def answers(self) -> bool:
        """Whether it is up and answers within some seconds."""
        return self._process() is not None and self._answers(_ANSWER_SECONDS)

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """A client to make topics with and to look at them."""
        from kafka.admin import KafkaAdminClient

        client = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            yield client
        finally:
            client.close()

    def log_tail(self) -> str:
        """The end of its log."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return text[-_LOG_TAIL:].strip()

    def _configure(self) -> None:
        ports = {"port": self.port, "controller_port": free_port()}
        self.data_path.mkdir(parents=True, exist_ok=True)
        text = _CONFIGURATION.substitute(ports, host=LOOPBACK, data=self.data_path)
        self._configuration_path.write_text(text)
        if (self.data_path / "meta.properties").exists():
            return
        command = [*java_command("kafka.tools.StorageTool"), "format", "--cluster-id", uuid.uuid4().hex[:22]]
        done = subprocess.run(
            [*command, "--config", str(self._configuration_path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BrokerError(
                f"{self.data_path} cannot be made ready for Kafka: {(done.stderr or done.stdout).strip()}"
            )

    def _launch(self, command: list[str]) -> None:
        with self.log_path.open("a") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        identity = ProcessId.of(process.pid)
        self._state_path.write_text(
            json.dumps({"pid": identity.pid, "started": identity.started, "port": self.port}) + "\n"
        )

    def _await_answer(self) -> None:
        deadline = Deadline.after(self._clock, _START_SECONDS)
        while self._process():
            if not port_is_free(self.port) and self._answers(1.0):
                return
            if deadline.passed():
                raise BrokerError(
                    f"the broker (pid {self.pid}) does not answer at {self.servers} after {_START_SECONDS:.0f} s; "
                    f"its log {self.log_path} ends: {self.log_tail()}"
                )
            self._clock.sleep(0.05)
        raise BrokerError(f"the broker ended while it started; its log {self.log_path} ends: {self.log_tail()}")

    def _answers(self, seconds: float) -> bool:
        """Whether it, and not another broker at its port, is ready to make topics."""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        milliseconds = int(seconds * 1000)
        try:
            client = KafkaAdminClient(
                bootstrap_servers=self.servers, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds
            )
        except KafkaError:
            return False
        try:
            cluster = client.describe_cluster()
        except KafkaError:
            return False
        finally:
            client.close()
        return cluster["cluster_id"] == self._cluster_id() and bool(cluster["brokers"])

    def _cluster_id(self) -> str | None:
        path = self.data_path / "meta.properties"
        found = re.search(r"^cluster\.id=(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
        return found[1] if found else None

    def _check_port(self) -> None:
        running = self._state()["port"]
        if running != self.port:
            raise ArgumentError(
                f"the broker of {self.folder} runs at port {running}, not {self.port}. Try: end it first"
            )

    def _kill(self, process: ProcessId) -> None:
        process.send(signal.SIGKILL)
        if not process.ended(Deadline.after(self._clock, 10.0), self._clock):
            raise BrokerError(f"the broker (pid {process.pid}) did not end 10 s after SIGKILL. Try: look at its disk")

    def _required(self) -> ProcessId:
        process = self._process()
        if process is None:
            raise BrokerError(f"the broker of {self.folder} is down. Try: start it first")
        return process

    def _process(self) -> ProcessId | None:
        state = self._state()
        process = ProcessId(state["pid"], state["started"]) if state else None
        return process if process and process.lives() else None

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_path.read_text())
            return state
        except (FileNotFoundError, ValueError):
            return {}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of several processes that start or end this broker, one at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
