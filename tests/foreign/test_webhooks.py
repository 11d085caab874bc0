"""Webhook-like records of 57 shapes: each becomes the row it says, and the three runtimes make the same of all."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.terminal import in_own_process
from tests.support.webhooks import RECORDS, Record, shapes, write_project
from tests.support.webhooks import records as records_of
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker
from trivium.samples.harness import plain_row


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    root = tmp_path_factory.mktemp("webhooks")
    return root, write_project(root)


@pytest.fixture
def pipeline(project: tuple[Path, list[Record]]) -> Iterator[Pipeline]:
    path, known = list(sys.path), set(sys.modules)
    yield compile_file(project[0] / "configs" / "webhooks.yaml")
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name.split(".")[0] == "executors":
            del sys.modules[name]


def test_the_script_makes_what_it_says(project: tuple[Path, list[Record]]) -> None:
    _, records = project
    assert len(shapes()) == 57
    assert len(records) == 57 * RECORDS >= 255
    assert Counter(record.row is None for record in records) == {False: 57 * (RECORDS - 1), True: 57}
    assert records == [record for shape in shapes() for record in records_of(shape)]


def test_each_record_becomes_what_it_says(pipeline: Pipeline, project: tuple[Path, list[Record]]) -> None:
    _, records = project
    positions = np.arange(len(records), dtype=np.int64)
    out = BlockingWorker(pipeline.worker_spec, {}).run(
        RawBatch([record.value for record in records], "webhooks/0", positions)
    )
    assert {reject.index for reject in out.rejects} == {at for at, each in enumerate(records) if each.row is None}
    for name, emitted in out.emitted.items():
        declaration = pipeline.executors[name].declaration
        rows = emitted.rows.select(declaration.row_schema.names).to_pylist()
        for parent, row in zip(emitted.parents.tolist(), rows, strict=True):
            kept = plain_row(row, declaration)
            assert kept.pop("event_time")
            assert kept == records[parent].row


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_the_three_runtimes_make_the_same_of_them(
    project: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, records = project
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = in_own_process("parity", "configs/webhooks.yaml", "--input", "records.jsonl", folder=root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Parity holds: batch, streaming, serving made the same of {len(records)} inputs." in done.stdout
