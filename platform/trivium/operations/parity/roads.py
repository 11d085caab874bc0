"""The roads parity takes its inputs through: the real ones, and the three decoders in this process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, RemoteDisconnected
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np

from trivium.config.pipeline import Pipeline
from trivium.connectors.parquet_lookup import FROZEN, ParquetLookup
from trivium.contract.clock import SystemClock
from trivium.contract.errors import RunError
from trivium.engine.batch import RawBatch
from trivium.engine.requests import RequestWorker, encode
from trivium.engine.worker import Worker
from trivium.operations.dev_broker import DevBroker
from trivium.operations.parity.inputs import Input
from trivium.operations.parity.seen import Seen, of_answer, of_outcomes, of_tables
from trivium.operations.parity.tables import over_archive, over_topic

_WINDOW, _FEW = 2_000, 20
_MOST_BYTES = 200_000
Found = Iterable[Seen | None]
"""What a road made of each input, in order; None where the road has no way to take it."""


@dataclass(frozen=True)
class Scene:
    """A pipeline with the file it was compiled from, and a scratch folder for what roads write."""

    pipeline: Pipeline
    config: Path
    folder: Path


Road = Callable[[Scene, Sequence[Input]], Found]


def batch(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Ray Data over Parquet."""
    from trivium.runtimes.batch.run import run_batch

    redirected = over_archive(scene.pipeline, inputs, scene.folder / "batch")
    run_batch(redirected)
    yield from of_tables(redirected, len(inputs))


def streaming(scene: Scene, inputs: Sequence[Input]) -> Found:
    """A real broker, and the stream until it has caught up."""
    from trivium.runtimes.streaming.run import StreamArguments, run_streaming

    topic = f"parity-{uuid.uuid4().hex[:12]}"
    broker = DevBroker(scene.folder / "kafka")
    broker.start()
    try:
        _produce(broker.servers, topic, inputs)
        redirected = over_topic(scene.pipeline, broker.servers, topic, scene.folder / "streaming")
        run_streaming(redirected, StreamArguments(until_caught_up=True))
    finally:
        broker.stop()
    yield from of_tables(redirected, len(inputs))


def serving(scene: Scene, inputs: Sequence[Input]) -> Found:
    """The HTTP service, asked about single events and about lists of them."""
    section = scene.pipeline.config.serving
    if section is None:
        yield from repeat(None, len(inputs))
        return
    with _service(scene.config) as url:
        service = Service(url, scene.pipeline)
        for start in range(0, len(inputs), _WINDOW):
            # First in short lists: a row that depends on its neighbours shows.
            most = section.max_events_per_request if start else min(_FEW, section.max_events_per_request)
            yield from _asked(scene.pipeline, service.ask, inputs[start : start + _WINDOW], most)


def raw(scene: Scene, inputs: Sequence[Input]) -> Found:
    """The worker on a batch of records."""
    batch = RawBatch([each.value for each in inputs], "parity", np.arange(len(inputs), dtype=np.int64))
    return [*of_outcomes(scene.pipeline, Worker(scene.pipeline, _lookups(scene.pipeline)).run(batch))]


def requests(scene: Scene, inputs: Sequence[Input]) -> Found:
    """The worker of requests, in this process."""
    worker = RequestWorker(scene.pipeline, _lookups(scene.pipeline))
    return _asked(scene.pipeline, lambda body: encode(worker.answer(body, max_events=_FEW)), inputs, _FEW)


def _lookups(pipeline: Pipeline) -> dict[str, ParquetLookup]:
    return {name: ParquetLookup(bound, SystemClock(), FROZEN) for name, bound in pipeline.lookups.items()}


def _asked(pipeline: Pipeline, ask: Callable[[bytes], bytes], inputs: Sequence[Input], most: int) -> list[Seen | None]:
    """Whole records together in lists, everything else alone."""
    found: list[Seen | None] = [None] * len(inputs)
    for places in _together(inputs, most):
        answers = json.loads(ask(b"[" + b",".join(inputs[at].value for at in places) + b"]"))
        for at, answer in zip(places, answers, strict=True):
            found[at] = of_answer(pipeline, answer)
    for at, each in enumerate(inputs):
        if found[at] is None and each.askable:
            (answer,) = json.loads(ask(each.value))
            found[at] = of_answer(pipeline, answer)
    return found


def _together(inputs: Sequence[Input], most: int) -> Iterator[list[int]]:
    """Places of whole records that go into one request: at most so many, and no more than fit a body."""
    places: list[int] = []
    size = 0
    for at, each in enumerate(inputs):
        if not (each.askable and _whole(each.value)):
            continue
        if places and (len(places) == most or size + len(each.value) > _MOST_BYTES):
            yield places
            places, size = [], 0
        places.append(at)
        size += len(each.value) + 1
    if places:
        yield places


def _whole(value: bytes) -> bool:
    """Whether it is one JSON value, so that it can stand in a list."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


class Service:
    """A service that runs, over a connection that stays open."""

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.netloc, timeout=60)
        self._path = f"{parts.path}/v1/events"
        self._headers = {"content-type": "application/json"}
        if keys := pipeline.api_keys():
            self._headers["authorization"] = f"Bearer {keys[0]}"

    def ask(self, body: bytes) -> bytes:
        """The answers to a request's events, as a JSON list.

        Raises:
            RunError: the service refuses the request as a whole.
        """
        try:
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
        except (RemoteDisconnected, ConnectionResetError):  # an idle connection was closed
            self._connection.close()
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != HTTPStatus.OK:
            raise RunError(f"the service refused a request of parity with {answer.status}: {text[:500]!r}")
        return bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])["events"])


@contextmanager
def _service(config: Path) -> Iterator[str]:
    """`trivium run serving` in a process of its own; the URL it answers at."""
    command = [sys.executable, "-m", "trivium.cli.main", "run", "serving", str(config), "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        url = next((line.split()[-1] for line in running.stdout if line.startswith("serving")), None)
        if url is None:
            raise RunError(f"the service did not start: {running.communicate()[1][-2000:]}")
        yield url
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(60)
        except subprocess.TimeoutExpired:
            running.kill()


def _produce(servers: str, topic: str, inputs: Sequence[Input]) -> None:
    from kafka import KafkaProducer
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    finally:
        admin.close()
    producer = KafkaProducer(bootstrap_servers=servers, compression_type="lz4", linger_ms=50, batch_size=1 << 18)
    try:
        for each in inputs:
            producer.send(topic, value=each.value)
        producer.flush()
    finally:
        producer.close()
