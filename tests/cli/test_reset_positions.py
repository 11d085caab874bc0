"""`trivium reset-positions` against a real broker: what it shows, asks, refuses and leaves in the table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from tests.support import shop
from tests.support.terminal import Trivium
from trivium.cli.main import program
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.connectors.kafka.cluster import KafkaLog
from trivium.connectors.kafka.partition import to_client
from trivium.core.clock import SystemClock
from trivium.core.errors import RunError
from trivium.delivery.commit.positions import Positions
from trivium.delivery.commit.stream import OffsetRange, StreamCommit, commit_epoch
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.errors import Fenced, PreconditionFailed, TopicChanged
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.maintenance import ledger
from trivium.devtools.broker.broker import DevBroker
from trivium.operations.reset import carry_out, plan_reset
from trivium.operations.reset_targets import ToEnd, ToOffsets
from trivium.runtimes.streaming.start import Started, start_stream
from trivium.testing.kafka import MakeTopic

RECORDS = 10
STREAMING = """
streaming:
  source: {type: kafka, servers: "%s", topics: [%s], request_timeout_seconds: 10}
"""


@dataclass
class Stream:
    """A shop that consumes a topic of two partitions, with what a stream would have committed."""

    broker: DevBroker
    topic: str
    config: Path

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.pipeline: Pipeline = compile_file(self.config, runtime="streaming")
        self.log = KafkaLog(self.pipeline.kafka_source(), None, self.clock)

    @property
    def uri(self) -> str:
        return self.pipeline.config.table.path

    def name(self, number: int) -> str:
        return f"{self.topic}/{number}"

    def produce(self, records: int = RECORDS, partitions: int = 2, at_ms: int = 0) -> None:
        producer = Producer({"bootstrap.servers": self.broker.servers})
        for number in range(partitions):
            for index in range(records):
                stamp = {"timestamp": at_ms + index} if at_ms else {}
                producer.produce(self.topic, b"{}", partition=number, **stamp)
        assert producer.flush(20) == 0

    def start(self) -> Started:
        return start_stream(self.pipeline, self.log, None, self.clock)

    def read_to(self, started: Started, *ends: int) -> None:
        """Commit an epoch that drops everything up to these offsets."""
        ranges = {}
        for number, end in enumerate(ends):
            at = self.positions()[number]
            ranges[self.name(number)] = OffsetRange(at, end, end - at, 0, end - at)
        proposal = StreamCommit(self.pipeline.name, started.generation, (), ranges, {}, "l", "p")
        commit_epoch(self.uri, proposal, table_schema(self.pipeline.table_columns), self.clock)

    def positions(self, partitions: int = 2) -> list[int | None]:
        names = [self.name(number) for number in range(partitions)]
        known = Positions.of(Snapshot.latest(self.uri), self.pipeline.name, names)
        return [known.next[name] for name in names]

    def epoch(self) -> int:
        return Positions.of(Snapshot.latest(self.uri), self.pipeline.name, [self.name(0)]).epochs[self.topic]

    def remake_topic(self, partitions: int) -> None:
        with self.broker.admin() as admin:
            admin.delete_topics([self.topic])
            until = time.monotonic() + 20
            while self.topic in admin.list_topics():
                assert time.monotonic() < until, "the topic does not go"
                time.sleep(0.1)
            topic = {"num_partitions": partitions, "replication_factor": 1}
            admin.create_topics({self.topic: topic}, wait_for_metadata=True)

    def reset(self, *options: str, answer: str | None = None) -> Result:
        arguments = ["reset-positions", str(self.config), *options]
        return CliRunner().invoke(program, arguments, input=answer, prog_name="trivium")


@pytest.fixture
def stream(tmp_path: Path, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> Iterator[Stream]:
    """Ten records in each of two partitions, four of the first and six of the second read."""
    config = shop.make(tmp_path) / "configs" / "shop.yaml"
    topic = kafka_topic(2)
    config.write_text(config.read_text() + STREAMING % (kafka_broker.servers, topic))
    made = Stream(kafka_broker, topic, config)
    made.produce()
    made.read_to(made.start(), 4, 6)
    yield made
    made.log.close()


def test_to_the_end_shows_asks_and_moves(stream: Stream) -> None:
    no = stream.reset("--to-end", answer="n\n")
    assert (no.exit_code, stream.positions()) == (1, [4, 6])
    assert "nothing was done" in no.stdout
    yes = stream.reset("--to-end", answer="y\n")
    assert yes.exit_code == 0, yes.output
    rows = [line.split() for line in yes.stdout.splitlines()]
    assert [stream.name(0), "4", "10", "6"] in rows
    assert [stream.name(1), "6", "10", "4"] in rows
    assert "a running stream of this pipeline is stopped by this" in yes.stdout
    assert yes.stdout.splitlines()[-1].endswith("; 10 offsets skipped")
    assert (stream.positions(), stream.epoch()) == ([10, 10], 1)
    last = ledger.commits(stream.uri)[-1].metadata
    assert (last["kind"], last["skipped_by_operator"]) == ("reset", "10")
    assert stream.start().positions == {stream.name(0): 10, stream.name(1): 10}


def test_a_dry_run_does_nothing(stream: Stream) -> None:
    version = Snapshot.latest(stream.uri).version
    done = stream.reset("--to-end", "--dry-run")
    assert (done.exit_code, Snapshot.latest(stream.uri).version) == (0, version)
    assert "a dry run: nothing was done" in done.stdout


def test_an_unchanged_topic_needs_to_be_told_where_to(stream: Stream) -> None:
    done = stream.reset("--yes")
    assert done.exit_code == 2
    assert "no topic was made anew" in done.stderr
    assert "--to-beginning, --to-end" in done.stderr
    both = stream.reset("--to-end", "--to-beginning")
    assert both.exit_code == 2
    assert "got several" in both.stderr


def test_going_back_is_refused_with_the_reason(stream: Stream) -> None:
    back = stream.reset("--to-offsets", f"{stream.name(0)}=2", "--yes")
    assert back.exit_code == 2
    assert f"{stream.name(0)}: the position is 4, going back to 2 is refused" in back.stderr
    assert "would be there twice" in back.stderr
    beginning = stream.reset("--to-beginning", "--yes")
    assert beginning.exit_code == 2
    assert "nothing to move" in beginning.stderr
    beyond = stream.reset("--to-offsets", f"{stream.name(0)}=11", "--yes")
    assert "expected an offset from 0 to 10, got 11" in beyond.stderr
    unknown = stream.reset("--to-offsets", "other/0=1", "--yes")
    assert "got other/0" in unknown.stderr
    assert stream.positions() == [4, 6]


def test_one_partition_moves_and_the_other_stays(stream: Stream) -> None:
    done = stream.reset("--to-offsets", f"{stream.name(1)}=8", "--yes")
    assert done.exit_code == 0, done.output
    assert [stream.name(0), "4", "4", "0", "stays"] in [line.split() for line in done.stdout.splitlines()]
    assert (stream.positions(), stream.epoch()) == ([4, 8], 1)


def test_to_a_time_never_goes_back(stream: Stream) -> None:
    later = int(time.time() * 1000) + 3_600_000
    stream.produce(5, partitions=1, at_ms=later)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(later // 1000 + 1))
    done = stream.reset("--to-time", "1999-01-01T00:00:00Z", "--yes")
    assert "nothing to move" in done.stderr
    done = stream.reset("--to-time", moment, "--yes")
    assert done.exit_code == 0, done.output
    first, second = stream.positions()
    assert (10 <= first <= 15, second) == (True, 10)


def test_what_retention_took_is_passed_over_on_record(stream: Stream) -> None:
    with stream.broker.admin() as admin:
        admin.delete_records({to_client(stream.name(0)): 7})
    with pytest.raises(RunError, match="reset-positions CONFIG --to-beginning"):
        stream.start()
    done = stream.reset("--to-beginning", "--yes")
    assert done.exit_code == 0, done.output
    assert stream.positions() == [7, 6]
    assert ledger.commits(stream.uri)[-1].metadata["skipped_by_operator"] == "3"
    assert stream.start().positions == {stream.name(0): 7, stream.name(1): 6}


def test_a_topic_made_anew_starts_at_its_beginning(stream: Stream) -> None:
    stream.remake_topic(2)
    stream.produce(3)
    with pytest.raises(TopicChanged, match="reset-positions"):
        stream.start()
    done = stream.reset("--yes")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("a topic made anew") == 2
    assert "0 offsets skipped" in done.stdout
    assert (stream.positions(), stream.epoch()) == ([0, 0], 1)
    started = stream.start()
    assert started.epochs == {stream.topic: 1}
    stream.read_to(started, 3, 3)


def test_a_smaller_topic_made_anew_forgets_partitions_it_lost(stream: Stream) -> None:
    stream.remake_topic(1)
    done = stream.reset("--yes")
    assert done.exit_code == 0, done.output
    assert f"{stream.name(1)}: not a partition of the new topic" in done.stdout
    assert stream.positions() == [0, 0]
    with stream.broker.admin() as admin:
        admin.create_partitions({stream.topic: 2})
    until = time.monotonic() + 20
    while len(stream.log.partitions()) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    stream.produce(3)
    assert stream.start().positions == {stream.name(0): 0, stream.name(1): 0}


def test_a_running_stream_is_stopped_and_one_that_went_past_is_not_put_back(stream: Stream) -> None:
    running = stream.start()
    plan = plan_reset(stream.pipeline, stream.log, ToOffsets({stream.name(0): 5}))
    stream.read_to(running, 8, 6)
    with pytest.raises(PreconditionFailed, match="or later, got 5"):
        carry_out(stream.pipeline, stream.log, plan, stream.clock)
    assert (stream.positions(), stream.epoch()) == ([8, 6], 0)
    with pytest.raises(Fenced):
        stream.read_to(running, 9, 6)


def test_positions_are_those_after_the_running_stream_stopped(stream: Stream) -> None:
    running = stream.start()
    plan = plan_reset(stream.pipeline, stream.log, ToEnd())
    stream.read_to(running, 8, 9)
    done = carry_out(stream.pipeline, stream.log, plan, stream.clock)
    assert [(move.now, move.skipped) for move in done.plan.moves] == [(8, 2), (9, 1)]
    assert ledger.commits(stream.uri)[-1].metadata["skipped_by_operator"] == "3"


def test_without_a_table_there_is_nothing_to_move(tmp_path: Path, kafka_broker: DevBroker, trivium: Trivium) -> None:
    config = shop.make(tmp_path) / "configs" / "shop.yaml"
    config.write_text(config.read_text() + STREAMING % (kafka_broker.servers, "none"))
    done = trivium("reset-positions", str(config), "--to-end")
    assert done.exit_code == 2
    assert "there is no table" in done.stderr
