"""Random strings of faults against one stream, then an audit: `./dev test chaos --seed N --minutes M`.

A seed gives the same faults in the same order; when they strike is up to the machine.
"""

import argparse
import logging
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ray
from confluent_kafka import Producer

from tests.support.chaos_drivers import Drivers
from tests.support.processes import workers_of
from tests.support.stream_archive import write_archive
from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.devtools.broker.broker import DevBroker
from trivium.operations.maintain import maintain
from trivium.operations.tables import Tables
from trivium.testing.kafka import running_broker, topic_maker

MOST_PARTITIONS = 6


class Chaos:
    """One run of chaos over a project: `step` strikes once."""

    def __init__(self, project: StreamProject, broker: DevBroker, seed: int) -> None:
        self._project, self._broker, self._random = project, broker, random.Random(seed)
        self._drivers = Drivers(project)
        self._partitions, self._transactions = 2, 0
        self._faults: list[tuple[Callable[[], None], int]] = [
            (self.produce, 6),
            (self.produce_in_transactions, 3),
            (self.change_lookup, 3),
            (self.kill_driver, 3),
            (self.kill_worker, 3),
            (self.pause_driver, 2),
            (self.start_second_driver, 2),
            (self.ask_driver_to_stop, 1),
            (self.lose_broker, 1),
            (self.pause_broker, 1),
            (self.maintain, 2),
            (self.run_batch, 1),
            (self.add_partition, 1),
        ]

    def step(self) -> str:
        """Strike once, wait a little; what was done. A driver is started where none is left."""
        self._drivers.reap()
        if not self._drivers.running:
            self._drivers.start()
        faults, weights = zip(*self._faults, strict=True)
        (fault,) = self._random.choices(faults, weights)
        fault()
        time.sleep(self._random.uniform(0.1, 2.5))
        return str(fault.__name__)

    def finish(self) -> None:
        """End what runs and let the stream catch up."""
        self._drivers.end()
        self._project.write_weights(range(10))
        self._project.catch_up_well()

    def close(self) -> None:
        """End what is left, whatever happened."""
        self._drivers.kill_all()

    def produce(self) -> None:
        """A burst of records."""
        self._project.produce(self._project.ticks(self._random.randint(50, 1_500), fickle=0.3))

    def produce_in_transactions(self) -> None:
        """Some transactions, committed or aborted."""
        self._transactions += 1
        name = f"{self._project.topic}-{self._transactions}"
        producer = Producer({"bootstrap.servers": self._broker.servers, "transactional.id": name})
        producer.init_transactions(60)
        for _ in range(self._random.randint(1, 4)):
            producer.begin_transaction()
            taken = self._project.send(producer, self._project.ticks(self._random.randint(1, 200), fickle=0.3))
            if self._random.random() < 0.4:
                producer.abort_transaction(60)
            else:
                producer.commit_transaction(60)
                self._project.count(taken)

    def change_lookup(self) -> None:
        """Other keys are known from now on."""
        self._project.write_weights(self._random.sample(range(10), self._random.randint(4, 10)))

    def kill_driver(self) -> None:
        """SIGKILL."""
        self._drivers.kill(self._random)

    def kill_worker(self) -> None:
        """SIGKILL of a process that runs records."""
        if workers := workers_of(self._project.root, *self._drivers.alive):
            subprocess.run(["kill", "-9", str(self._random.choice(workers))], check=False)

    def pause_driver(self) -> None:
        """SIGSTOP for some seconds, perhaps with another driver meanwhile."""
        driver = self._drivers.any(self._random)
        driver.send_signal(signal.SIGSTOP)
        if self._random.random() < 0.5:
            self._drivers.start()
        time.sleep(self._random.uniform(1, 8))
        driver.send_signal(signal.SIGCONT)

    def start_second_driver(self) -> None:
        """Beside the one that runs."""
        if len(self._drivers.running) < 3:
            self._drivers.start()

    def ask_driver_to_stop(self) -> None:
        """SIGTERM."""
        self._drivers.ask_to_stop(self._random)

    def lose_broker(self) -> None:
        """SIGKILL of the broker, which stays away for a while."""
        self._broker.kill()
        time.sleep(self._random.uniform(0, 12))
        self._broker.start()

    def pause_broker(self) -> None:
        """SIGSTOP of the broker."""
        self._broker.pause()
        time.sleep(self._random.uniform(1, 6))
        self._broker.resume()

    def maintain(self) -> None:
        """`trivium maintain`."""
        if self._project.version() >= 0 and Path(self._project.dead_letters, "_delta_log").exists():
            maintain(Tables(self._project.table, self._project.dead_letters))

    def run_batch(self) -> None:
        """A batch run, beside whatever comes next."""
        self._drivers.start_batch()

    def add_partition(self) -> None:
        """The topic grows by one."""
        if self._partitions < MOST_PARTITIONS:
            self._partitions += 1
            with self._broker.admin() as admin:
                admin.create_partitions({self._project.topic: self._partitions})


def run(folder: Path, seed: int, minutes: float) -> None:
    """Start broker and cluster, strike for so many minutes, catch up and audit."""
    tally = Tally(running=f"chaos, seed {seed}")
    with running_broker(folder / "kafka") as broker:
        cluster = ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        topic = topic_maker(broker)(partitions=2)
        address = cluster.address_info["gcs_address"]
        project = StreamProject(folder / "project", address, broker, topic, tally, workers=1)
        write_archive(project, rows=300)
        chaos = Chaos(project, broker, seed)
        ends = time.monotonic() + 60 * minutes
        try:
            while time.monotonic() < ends:
                say(chaos.step())
            chaos.finish()
            project.audit()
        finally:
            chaos.close()
            ray.shutdown()
    say(*tally.lines())


def say(*lines: str) -> None:
    """To standard output, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> None:
    """Exit code 0: nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(prog="./dev test chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="default: a random one")
    parser.add_argument("--minutes", type=float, default=5.0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    say(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="trivium-chaos-", ignore_cleanup_errors=True) as folder:
        try:
            run(Path(folder), arguments.seed, arguments.minutes)
        except BaseException:
            say(f"failed with seed {arguments.seed}")
            raise


if __name__ == "__main__":
    main()
