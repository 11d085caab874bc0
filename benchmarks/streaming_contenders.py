"""The contenders of the streaming benchmark, and the process each runs in.

That is `python -m benchmarks.streaming_contenders NAME`.

The process says `ready` when it has started up, then obeys one JSON object a line, `{"servers": …, "topic": …,
"output": …}`: read the topic to its end into a new Delta table. It answers with the seconds that took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final, Literal

from confluent_kafka import Consumer

from benchmarks.local_ray import local_ray
from benchmarks.peers.confluent_loop import confluent_loop
from benchmarks.peers.confluent_plain import confluent_plain
from benchmarks.peers.delta_loop import Share, run_loops
from benchmarks.peers.kafka_python_loop import kafka_python_loop
from benchmarks.streaming_topic import partitions_of
from trivium.config.compile import compile_file
from trivium.runtimes.cluster import worker_environment
from trivium.runtimes.streaming.run import StreamArguments, run_streaming

Run = Callable[[str, str, Path], None]
_FOLDER: Final = Path(__file__).parent / "q14"


def run_trivium(form: Literal["row", "column"], workers: int, servers: str, topic: str, table: Path) -> None:
    """The whole platform: compile, start, stream until caught up."""
    variables = {"KAFKA": servers, "TOPIC": topic, "TABLE": str(table), "WORKERS": str(workers)}
    pipeline = compile_file(_FOLDER / form / "pipeline_stream.yaml", variables, runtime="streaming")
    run_streaming(pipeline, StreamArguments(until_caught_up=True))


Client = Literal["confluent", "confluent plain", "kafka-python"]


def run_by_hand(
    client: Literal["confluent", "confluent plain", "kafka-python"],
    processes: int,
    servers: str,
    topic: str,
    table: Path,
) -> None:
    """A hand-written loop in so many processes."""
    loops = {"confluent": confluent_loop, "confluent plain": confluent_plain, "kafka-python": kafka_python_loop}
    run_loops(loops[client], Share(servers, topic, table, ends_of(servers, topic)), processes)


def ends_of(servers: str, topic: str) -> dict[int, int]:
    """The end of each partition's log."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "ends"})
    try:
        return {each.partition: consumer.get_watermark_offsets(each)[1] for each in partitions_of(topic)}
    finally:
        consumer.close()


@contextmanager
def _on_ray(run: Run) -> Iterator[Run]:
    with local_ray(worker_environment()):
        yield run


def contender(name: str) -> AbstractContextManager[Run]:
    """A contender, by `CLIENT-or-FORM PROCESSES`, such as `row 2` or `confluent 1`."""
    what, _, processes = name.rpartition(" ")
    if what in ("row", "column"):
        return _on_ray(partial(run_trivium, what, int(processes)))
    return nullcontext(partial(run_by_hand, what, int(processes)))


NAMES: Final = (
    *("row 1", "column 1", "confluent 1", "confluent plain 1", "kafka-python 1"),
    *("row 2", "column 2", "confluent 2", "confluent plain 2"),
)


def main() -> None:
    """Obey the harness. Libraries write where they like, so answers go to a copy of the standard output."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with contender(sys.argv[1]) as run:
        print("ready", file=answers)
        for line in sys.stdin:
            told = json.loads(line)
            start = time.perf_counter()
            run(told["servers"], told["topic"], Path(told["output"]))
            print(time.perf_counter() - start, file=answers)


if __name__ == "__main__":
    main()
