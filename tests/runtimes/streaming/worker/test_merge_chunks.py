"""Stretches of several partitions as one batch, and what became of each stretch."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tests.support.emitted_rows import emitted_rows
from trivium.config.model.pipeline import Routing
from trivium.connectors.kafka.fetched import Fetched
from trivium.engine.decoding.packed_values import pack
from trivium.engine.outcomes import Outcomes, Reject
from trivium.runtimes.streaming.worker.merge_chunks import gather


def fetched(partition: str, start: int, offsets: Sequence[int], after: int, **fields: object) -> Fetched:
    places = np.array(offsets, np.int64)
    values = pack([b"%d" % at for at in offsets])
    headers = fields.get("headers")
    return Fetched(partition, start, after, places, places + 1_000, values, headers)  # type: ignore[arg-type]


def test_each_record_keeps_its_place_and_its_epoch_of_positions() -> None:
    found = gather([fetched("a/0", 0, [1, 2], 4), fetched("b/1", 7, [7], 8)], Routing(), {"b": 2})
    assert found.batch.source.to_pylist() == ["a/0", "a/0", "b/1@2"]  # type: ignore[union-attr]
    assert found.batch.positions.tolist() == [1, 2, 7]
    assert list(found.batch.values) == [b"1", b"2", b"7"]
    assert found.batch.types is None


def test_a_stretch_knows_its_outcomes_and_its_holes() -> None:
    found = gather([fetched("a/0", 0, [1, 2, 3], 6), fetched("b/1", 7, [7], 8)], Routing(), {})
    rows = pa.record_batch({"event_id": ["x", "y", "z"]})
    outcomes = Outcomes(
        4,
        emitted={"t": emitted_rows("t", rows, [0, 0, 3])},
        dropped={"t": np.array([1])},
        rejects=[Reject(2, "decode", "invalid", "…")],
    )
    (first, one), (second, two) = found.ranges(outcomes)
    assert (first, one.start, one.next, one.read, one.holes) == ("a/0", 0, 6, 3, 3)
    assert (one.emitted, one.dropped, one.rejected, one.newest_us) == (1, 1, 1, 1_003_000)
    assert (second, two.read, two.emitted, two.holes) == ("b/1", 1, 1, 0)
    assert one.balanced()
    assert two.balanced()


def test_a_stretch_of_markers_only_moves_the_position() -> None:
    found = gather([fetched("a/0", 5, [], 9)], Routing(), {})
    ((_, one),) = found.ranges(Outcomes(0))
    assert (one.start, one.next, one.read, one.holes, one.newest_us) == (5, 9, 0, 4, 0)


def test_a_header_or_the_topic_names_the_type() -> None:
    part = fetched("a/0", 0, [0, 1, 2], 3, headers=[b"tick", None, b"\xff"])
    assert gather([part], Routing(header="type"), {}).batch.types == ["tick", None, "\udcff"]
    topics = Routing(topics={"a": "tick", "b": "tock"})
    both = gather([fetched("a/0", 0, [0], 1), fetched("b/0", 0, [0, 1], 2)], topics, {})
    assert both.batch.types == ["tick", "tock", "tock"]
