"""A real Apache Kafka for development and tests: one broker, loopback only, its data in a folder."""

from __future__ import annotations

import enum
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trivium.core.clock import Clock, Deadline, SystemClock
from trivium.core.network import LOOPBACK, free_port, is_taken
from trivium.devtools.broker.client import TopicEnds, admin_client, answers, topics
from trivium.devtools.broker.folder import BrokerFolder
from trivium.devtools.broker.java import BrokerError
from trivium.devtools.broker.process import ProcessId
from trivium.operations.errors import ArgumentError

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

_START_SECONDS: Final = 60.0
_ADMIN_SECONDS: Final = 30.0
_KILL_SECONDS: Final = 10.0


class Ending(enum.Enum):
    """End of a broker."""

    NOT_RUNNING = "was not running"
    STOPPED = "stopped"
    KILLED = "killed"


class DevBroker:
    """The broker of a folder; any process may start it, look at it or end it, and it outlives the one that started it.

    `port` None: the port it had last, or a free one. `settings` are those of `BrokerFolder`; they must leave the
    plaintext listener, through which the broker is looked at.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._folder, self._clock = BrokerFolder(folder, settings), clock or SystemClock()
        self.folder, self.log_path, self.data_path = self._folder.path, self._folder.log, self._folder.data
        self.port = port or self._folder.port() or free_port()

    @property
    def servers(self) -> str:
        """Address on which it listens, as Kafka's clients want it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The number of its process; None while it is down."""
        process = self._folder.process()
        return process.pid if process else None

    def start(self) -> bool:
        """Start it and wait until it answers; False if it was up already.

        Raises:
            ArgumentError: another program has the port, or the broker runs at another one.
            BrokerError: it cannot be got, ended at once, or does not answer; the end of its log is in the message.
        """
        with self._folder.alone():
            new = self._folder.process() is None
            self._check_port()
            if new:
                self._folder.launch(self.port)
            self._await_answer()
        return new

    def stop(self, seconds: float = 20.0) -> Ending:
        """End it: ask first, kill it after so many seconds.

        Raises:
            BrokerError: even that did not end it.
        """
        with self._folder.alone():
            process = self._folder.process()
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
        """End it without notice, as a crash does; it is gone on return.

        Raises:
            BrokerError: it is not.
        """
        if process := self._folder.process():
            self._kill(process)

    def pause(self) -> None:
        """Let it hang: it keeps its port and its connections, and answers nothing until `resume`.

        Raises:
            BrokerError: it is down.
        """
        self._running().send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`.

        Raises:
            BrokerError: it is down.
        """
        self._running().send(signal.SIGCONT)

    def answers(self, seconds: float = 5.0) -> bool:
        """Return whether it is up and answers in time."""
        return self.pid is not None and answers(self.servers, self._folder.cluster(), seconds)

    def topics(self, seconds: float = 5.0) -> list[TopicEnds]:
        """Return its topics, without Kafka's own, by name.

        Raises:
            BrokerError: it does not answer in time.
        """
        from kafka.errors import KafkaError

        try:
            return topics(self.servers, seconds)
        except KafkaError as error:
            message = f"expected the broker at {self.servers} to answer within {seconds:.0f} s, got {error!r}"
            raise BrokerError(f"{message}. Try: again; its log is {self.log_path}") from error

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Return a client to make and change topics with.

        Raises:
            kafka.errors.KafkaError: it does not answer.
        """
        with admin_client(self.servers, _ADMIN_SECONDS) as client:
            yield client

    def _check_port(self) -> None:
        running = self._folder.process()
        port = self._folder.port()
        if running and port != self.port:
            message = f"the broker of {self.folder} (pid {running.pid}) runs at port {port}, not {self.port}"
            raise ArgumentError(f"{message}. Try: leave the port out, or end the broker first")
        if not running and is_taken(self.port):
            message = f"expected port {self.port} of {LOOPBACK} to be free, another program has it"
            raise ArgumentError(f"{message}. Try: another port, or end that program")

    def _await_answer(self) -> None:
        deadline = Deadline.after(self._clock, _START_SECONDS)
        while self.pid:
            # Kafka's client complains loudly of a port where nothing listens yet.
            if is_taken(self.port) and self.answers(1.0):
                return
            if deadline.passed():
                message = f"the broker (pid {self.pid}) does not answer at {self.servers} after {_START_SECONDS:.0f} s"
                raise BrokerError(f"{message}. Try: end it. Its log {self.log_path} ends:\n{self._folder.log_tail()}")
            self._clock.sleep(0.05)
        raise BrokerError(
            f"the broker ended while it started; its log {self.log_path} ends:\n{self._folder.log_tail()}"
        )

    def _kill(self, process: ProcessId) -> None:
        process.send(signal.SIGKILL)
        if not process.ended(Deadline.after(self._clock, _KILL_SECONDS), self._clock):
            message = f"the broker (pid {process.pid}) did not end {_KILL_SECONDS:.0f} s after SIGKILL"
            raise BrokerError(f"{message}. Try: again, and look whether its disk hangs: {self.folder}")

    def _running(self) -> ProcessId:
        process = self._folder.process()
        if process is None:
            raise BrokerError(f"expected the broker of {self.folder} to be up, it is down. Try: start it")
        return process
