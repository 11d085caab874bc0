"""A stream whose tables are on S3: killed between its commits, with a commit's answer lost, each offset counts once."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.support.s3_server import Bucket, Fault, UnreliableProxy
from tests.support.stream_project import StreamProject
from tests.support.tally import Tally
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.storage.s3_access import storage_options
from trivium.devtools.broker.broker import DevBroker
from trivium.testing.kafka import MakeTopic

RECORDS = 600
PARTITIONS = 2


class OnS3(StreamProject):
    """The ticks with their tables and their lookup in a bucket."""

    uri = ""

    def write_config(self, **changed: object) -> None:
        super().write_config(**changed)
        text = self.config.read_text()
        self.config.write_text(text.replace("../tables", f"{self.uri}/tables"))

    @property
    def table(self) -> str:
        return f"{self.uri}/tables/ticks"

    @property
    def dead_letters(self) -> str:
        return f"{self.uri}/tables/ticks_dead_letters"

    def opened(self) -> DeltaTable:
        return DeltaTable(self.table, storage_options=storage_options(self.table))


@pytest.fixture
def project(s3: Bucket, tmp_path: Path, ray_cluster: str, kafka_broker: DevBroker, kafka_topic: MakeTopic) -> OnS3:
    OnS3.uri = f"{s3.uri}/warehouse"
    made = OnS3(tmp_path, ray_cluster, kafka_broker, kafka_topic(partitions=PARTITIONS), Tally(), workers=1)
    bad = dict.fromkeys(range(0, RECORDS, 100), "raise") | dict.fromkeys(range(50, RECORDS, 100), "drop")
    made.produce(made.ticks(RECORDS, bad))
    return made


def counted(project: OnS3) -> tuple[int, int, int]:
    """Positions, distinct places in the table, distinct dead letters that count; no place may be there twice."""
    table = project.opened()
    rows = table.to_pyarrow_dataset().to_table(columns=["_source", "_position"])
    letters = dead_letters.read(project.dead_letters, project.table)
    places = [*zip(rows["_source"].to_pylist(), rows["_position"].to_pylist(), strict=True)]
    assert len(places) == len(set(places))
    at = sum(table.transaction_version(f"ticks/{project.topic}/{number}") or 0 for number in range(PARTITIONS))
    return at, len(places), letters.num_rows


def catch_up_with_a_lost_answer(project: OnS3, s3: Bucket) -> None:
    proxy = UnreliableProxy(s3.server.url)
    s3.point_at(proxy.url)
    proxy.arm("PUT", r"ticks/_delta_log/.*[1-9]\.json", Fault.RESPONSE_LOST)
    project.catch_up_well()
    proxy.close()
    s3.point_at(s3.server.url)
    assert proxy.disarmed
    assert counted(project) == (RECORDS, RECORDS - 12, 6)


def test_an_answer_that_is_lost(project: OnS3, s3: Bucket) -> None:
    catch_up_with_a_lost_answer(project, s3)


@pytest.mark.faults
def test_a_driver_killed_between_its_commits_and_a_lost_answer(project: OnS3, s3: Bucket) -> None:
    assert project.catch_up(TRIVIUM_FAULT_POINT="stream_letters.after_commit").code < 0
    catch_up_with_a_lost_answer(project, s3)
