"""The runtimes parity takes its inputs through: the real ones, and the three decoders in this process."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path

import numpy as np

from trivium.config.pipeline import Pipeline
from trivium.devtools.broker.broker import DevBroker
from trivium.engine.batch import RawBatch, TypedBatch
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.decoding.decoded import Decoded
from trivium.engine.decoding.decoder import Decoder
from trivium.engine.outcomes import Outcomes
from trivium.engine.requests.worker import encode
from trivium.parity.facts import SharedFacts
from trivium.parity.http_client import ServiceClient, answered
from trivium.parity.inputs import Input
from trivium.parity.results import InputOutcome, of_outcomes, of_tables
from trivium.parity.tables import Topics, over_archive, over_topics, topics_of, written_and_read
from trivium.runtimes.serving.process import service_process
from trivium.samples.harness import typed_columns

_WINDOW, _FEW = 2_000, 20
Found = Iterable[InputOutcome | None]
"""What a runtime made of each input, in order; None where the runtime has no way to take it."""


@dataclass(frozen=True)
class Scene:
    """A pipeline with the file it was compiled from, and a scratch folder for what runtimes write."""

    pipeline: Pipeline
    config: Path
    folder: Path

    @cached_property
    def facts(self) -> SharedFacts:
        """The pipeline's lookups, opened when they are first wanted."""
        return SharedFacts(self.pipeline)


Take = Callable[[Scene, Sequence[Input]], Found]


def batch(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Run Ray Data over Parquet."""
    from trivium.runtimes.batch.run import run_batch

    redirected = over_archive(scene.pipeline, inputs, scene.folder / "batch")
    run_batch(redirected)
    scene.facts.note_commits("batch", redirected.config.table.path)
    yield from of_tables(redirected, len(inputs))


def streaming(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Produce to a real broker, and stream until it has caught up."""
    from trivium.runtimes.streaming.run import StreamArguments, run_streaming

    topics = topics_of(scene.pipeline, inputs, f"parity-{uuid.uuid4().hex[:12]}")
    broker = DevBroker(scene.folder / "kafka")
    broker.start()
    try:
        _produce(broker.servers, topics, inputs, scene.pipeline.config.routing.header)
        redirected = over_topics(scene.pipeline, broker.servers, topics, scene.folder / "streaming")
        run_streaming(redirected, StreamArguments(until_caught_up=True))
    finally:
        broker.stop()
    scene.facts.note_commits("streaming", redirected.config.table.path)
    taken = np.zeros(len(inputs), np.bool_)
    taken[topics.taken] = True
    by_topic = topics.places if topics.event_types else None
    for there, outcome in zip(taken.tolist(), of_tables(redirected, len(inputs), by_topic), strict=True):
        yield outcome if there else None


def serving(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Yield what the HTTP service answers to single events and to lists of them."""
    section = scene.pipeline.config.serving
    if section is None:
        yield from repeat(None, len(inputs))
        return
    with service_process(scene.config) as service:
        client = ServiceClient(service.url, scene.pipeline)
        for start in range(0, len(inputs), _WINDOW):
            # First in short lists: a row that depends on its neighbours shows.
            most = section.max_events_per_request if start else min(_FEW, section.max_events_per_request)
            yield from answered(scene.pipeline, client.ask, inputs[start : start + _WINDOW], most)


def raw(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Run the worker on a batch of records."""
    types = None if scene.pipeline.config.routing.by_body else [each.event_type for each in inputs]
    batch = RawBatch([each.value for each in inputs], "parity", np.arange(len(inputs), dtype=np.int64), types)
    return _through_files(scene, BlockingWorker(scene.pipeline.worker_spec, scene.facts.lookups).run(batch))


def columns(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Run the worker on typed columns of the same events; a record that is no event has none."""
    pipeline = scene.pipeline
    found: list[InputOutcome | None] = [None] * len(inputs)
    worker, tag = BlockingWorker(pipeline.worker_spec, scene.facts.lookups), _tag_column(pipeline)
    for event_type, (rows, events) in _decoded(pipeline, inputs).events.items():
        typed = typed_columns(pipeline.executors[event_type].declaration, events, tag)
        positions = np.arange(len(rows), dtype=np.int64)
        batch = TypedBatch(typed, "parity", positions, event_type=None if tag else event_type)
        for row, outcome in zip(rows, _through_files(scene, worker.run(batch)), strict=True):
            found[row] = outcome
    return found


def _through_files(scene: Scene, outcomes: Outcomes) -> list[InputOutcome]:
    return of_outcomes(scene.pipeline, outcomes, written_and_read(scene.pipeline, outcomes, scene.folder / "files"))


def _tag_column(pipeline: Pipeline) -> str | None:
    """Return the column that names the type in a typed source; None if the pipeline names none."""
    routing, batch = pipeline.config.routing, pipeline.config.batch
    return pipeline.config.type_column if routing.by_body or batch is not None else None


def _decoded(pipeline: Pipeline, inputs: Sequence[Input]) -> Decoded:
    spec = pipeline.worker_spec
    types = None if spec.routing.tag_field else [each.event_type for each in inputs]
    return Decoder(spec.declarations, spec.routing.tag_field).decode([each.value for each in inputs], types)


def requests(scene: Scene, inputs: Sequence[Input]) -> Found:
    """Run the worker of requests, in this process."""
    worker = BlockingRequests(scene.pipeline.worker_spec, scene.facts.lookups)

    def ask(body: bytes, event_type: str | None) -> bytes:
        return encode(worker.answer(body, event_type, max_events=_FEW))

    return answered(scene.pipeline, ask, inputs, _FEW)


def _produce(servers: str, topics: Topics, inputs: Sequence[Input], header: str | None) -> None:
    from kafka import KafkaProducer
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        for topic in topics.places:
            admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    finally:
        admin.close()
    producer = KafkaProducer(bootstrap_servers=servers, compression_type="lz4", linger_ms=50, batch_size=1 << 18)
    try:
        for topic, places in topics.places.items():
            for at in places.tolist():
                named = inputs[at].event_type
                headers = [] if header is None or named is None else [(header, named.encode())]
                producer.send(topic, value=inputs[at].value, headers=headers)
        producer.flush()
    finally:
        producer.close()
