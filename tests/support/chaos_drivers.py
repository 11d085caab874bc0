"""The drivers of a chaos run: several may be alive at a time, and each must end in a way that is foreseen."""

import random
import signal
import subprocess
import sys
import time
from tempfile import TemporaryFile
from typing import IO

from tests.support import batch_project
from tests.support.processes import wake
from tests.support.stream_project import StreamProject
from tests.support.stream_sources import DRIVE

FORESEEN = ("Fenced", "KafkaUnavailableError")
STARTING_SECONDS = 15.0
Driver = subprocess.Popen[str]


class Drivers:
    """Starts drivers and judges how they ended."""

    def __init__(self, project: StreamProject) -> None:
        self._project = project
        self._said: dict[Driver, IO[str]] = {}
        self._started: dict[Driver, float] = {}
        self._asked_early: set[Driver] = set()
        self.running: list[Driver] = []
        self._batch: Driver | None = None

    def start(self) -> None:
        """One more driver of the stream."""
        self.running.append(self._process(DRIVE))

    def start_batch(self) -> None:
        """A batch run, unless one is under way."""
        self._reap_batch()
        if self._batch is None:
            self._batch = self._process(batch_project.DRIVE)

    @property
    def alive(self) -> list[Driver]:
        """The drivers, a batch's among them."""
        return [*self.running, *filter(None, [self._batch])]

    def any(self, chance: random.Random) -> Driver:
        """One of the running drivers."""
        return chance.choice(self.running)

    def ask_to_stop(self, chance: random.Random) -> None:
        """SIGTERM one. One that is still starting has no drain yet and may simply end."""
        self._stop(self.any(chance))

    def kill(self, chance: random.Random) -> None:
        """SIGKILL one."""
        driver = self.any(chance)
        driver.kill()
        driver.wait()
        self.running.remove(driver)

    def reap(self) -> None:
        """Forget drivers that ended; each must have ended well, been fenced, or not found its broker."""
        self._reap_batch()
        for driver in [each for each in self.running if each.poll() is not None]:
            self.running.remove(driver)
            said = self._words(driver)
            foreseen = driver.returncode == 0 or any(word in said for word in FORESEEN)
            ended_early = driver in self._asked_early and abs(driver.returncode) == signal.SIGTERM
            assert foreseen or ended_early, (driver.returncode, said)
            assert "Traceback" not in said, said

    def end(self) -> None:
        """Ask all to stop, and wait until they have."""
        for driver in self.running:
            self._stop(driver)
        for driver in self.alive:
            driver.wait(120)
        self.reap()

    def kill_all(self) -> None:
        """SIGKILL whatever is left."""
        for driver in self.alive:
            if driver.poll() is None:
                wake(driver.pid)
                driver.kill()
                driver.wait()

    def _stop(self, driver: Driver) -> None:
        if time.monotonic() - self._started[driver] < STARTING_SECONDS:
            self._asked_early.add(driver)
        driver.send_signal(signal.SIGTERM)

    def _process(self, program: str) -> Driver:
        said = TemporaryFile("w+")  # noqa: SIM115 - read when the driver has ended
        command = [sys.executable, "-c", program, str(self._project.config)]
        streams = {"stdout": said, "stderr": said}
        driver = subprocess.Popen(command, env=self._project.environ(), cwd=self._project.root, text=True, **streams)
        self._said[driver], self._started[driver] = said, time.monotonic()
        return driver

    def _reap_batch(self) -> None:
        if self._batch is not None and self._batch.poll() is not None:
            assert self._batch.returncode == 0, self._words(self._batch)
            self._batch = None

    def _words(self, driver: Driver) -> str:
        said = self._said[driver]
        said.seek(0)
        return said.read()
