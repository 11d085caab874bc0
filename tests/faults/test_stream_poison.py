"""Every kind of bad record in one topic: a dead letter with its reason and its bytes each; all neighbours are rows."""

from collections import Counter
from itertools import chain

import pytest
from deltalake import DeltaTable

from tests.support.poison import KINDS
from tests.support.stream_project import StreamProject
from trivium.delivery.dead_letters import batch as dead_letters
from trivium.testing.kafka import MakeTopic

pytestmark = pytest.mark.faults

ROOM = {"message.max.bytes": 32 << 20}


def test_a_corpus_of_bad_records(project: StreamProject, kafka_topic: MakeTopic) -> None:
    assert len(KINDS) >= 40
    project.topic = kafka_topic(partitions=2, max_message_bytes=32 << 20)
    project.write_config()
    good = project.ticks(len(KINDS) + 1)
    corpus = [value for value, _ in KINDS.values()]
    project.produce([*chain.from_iterable(zip(good, corpus, strict=False)), good[-1]], **ROOM)
    project.catch_up_well()

    letters = dead_letters.read(project.dead_letters, project.table).to_pylist()
    found = Counter((row["value"], f"{row['stage']}/{row['reason']}") for row in letters)
    expected = Counter((value, verdict) for value, verdict in KINDS.values() if "/" in verdict)
    assert not differences(found, expected)

    verdicts = Counter(verdict for _, verdict in KINDS.values())
    ids = Counter(DeltaTable(project.table).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist())
    assert ids.pop("poison") == verdicts["emitted"]
    assert ids == Counter(f"e{number}" for number in range(len(good)))
    assert project.audit().dropped == verdicts["dropped"]


def differences(found: Counter[tuple[bytes, str]], expected: Counter[tuple[bytes, str]]) -> list[str]:
    """The kinds whose dead letters differ; a record of megabytes is better not shown."""
    names = {value: name for name, (value, _) in KINDS.items()}
    unexpected = [f"{names.get(value, value[:60])}: {verdict} found" for value, verdict in found - expected]
    return unexpected + [f"{names[value]}: {verdict} expected" for value, verdict in expected - found]
