"""The contenders that need no Ray do the same work, and the proof tells when one does not."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.by_hand import column_rows, json_rows, row_rows
from benchmarks.engine_overhead import CASES, ByHand, Case, emitted_rows, read
from benchmarks.nexmark import Bids, prepare
from benchmarks.peers import polars_scan
from benchmarks.proof import Fingerprint, OutputsDiffer, check_equal, fingerprint
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingWorker

ROWS = 20_000


@pytest.fixture(scope="module")
def bids(tmp_path_factory: pytest.TempPathFactory) -> Bids:
    return prepare(tmp_path_factory.mktemp("bids"), ROWS)


@pytest.fixture(scope="module")
def expected(bids: Bids, tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    """What Polars makes of the bids: an account of the query that shares no code with the executors."""
    output = tmp_path_factory.mktemp("polars") / "output"
    with polars_scan.column_form() as run:
        run(bids.typed, output)
    return fingerprint(output)


@pytest.mark.parametrize(
    ("convert", "kind"),
    [(column_rows, "typed"), (row_rows, "typed"), (json_rows, "raw")],
    ids=["column", "row", "json"],
)
def test_the_executors_by_hand_agree_with_polars(
    convert: ByHand, kind: str, bids: Bids, expected: Fingerprint, tmp_path: Path
) -> None:
    for number, batch in enumerate(read(getattr(bids, kind))):
        pq.write_table(pa.Table.from_batches([convert(batch)]), tmp_path / f"{number}.parquet")
    assert fingerprint(tmp_path) == expected
    assert 0.26 * ROWS < expected.rows < 0.30 * ROWS


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_engine_emits_as_many_rows_as_by_hand(case: Case, bids: Bids, expected: Fingerprint) -> None:
    worker = BlockingWorker(spec_of([case[1]]), {})
    assert sum(emitted_rows(worker, batch) for batch in read(getattr(bids, case[2]))) == expected.rows


def test_a_changed_value_is_noticed(bids: Bids, expected: Fingerprint, tmp_path: Path) -> None:
    batches = [column_rows(batch) for batch in read(bids.typed)]
    table = pa.Table.from_batches(batches)
    extra = pa.array(["changed", *table["extra"].to_pylist()[1:]])
    pq.write_table(table.set_column(table.column_names.index("extra"), "extra", extra), tmp_path / "part.parquet")
    with pytest.raises(OutputsDiffer, match=f"polars: {expected.rows:,} rows.* other: {expected.rows:,} rows"):
        check_equal({"polars": expected, "other": fingerprint(tmp_path)})


def test_the_order_of_rows_does_not_count(bids: Bids, expected: Fingerprint, tmp_path: Path) -> None:
    for number, batch in enumerate(reversed([column_rows(batch) for batch in read(bids.typed)])):
        table = pa.Table.from_batches([batch])
        pq.write_table(table.sort_by([("price", "descending")]), tmp_path / f"{number}.parquet")
    assert check_equal({"polars": expected, "sorted": fingerprint(tmp_path)}) == expected
