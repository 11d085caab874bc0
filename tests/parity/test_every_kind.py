"""A project with a column of every kind, through samples, a notebook, the service's schema, and all runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

import trivium
from tests.support.every_kind import EVENT, FACT, ROW, project
from tests.support.terminal import Trivium, in_own_process
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.engine.decoding.decoder import Decoder
from trivium.parity.inputs import InputSpec
from trivium.parity.run import FAST, check_parity
from trivium.runtimes.serving.http.openapi import openapi
from trivium.samples.harness import plain_row, typed_columns

CLOCK = "09:30:00.250000"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return project(tmp_path / "kinds")


@pytest.fixture
def pipeline(config: Path) -> Pipeline:
    return compile_file(config, runtime=None)


def typed_event(pipeline: Pipeline) -> pa.Table:
    declaration = pipeline.executors["thing"].declaration
    decoded = Decoder({"thing": declaration}, "event_type").decode([msgspec.json.encode(EVENT)])
    return pa.Table.from_batches([typed_columns(declaration, decoded.events["thing"][1], None)])


def test_the_decoders_and_the_samples_agree_on_every_kind(config: Path) -> None:
    done = Trivium()("check", str(config))
    assert done.exit_code == 0, done.output
    report = check_parity(config, InputSpec(made_up=100), FAST)
    assert report.holds, report.verdict


def test_a_notebook_takes_every_kind_as_dicts_and_as_columns(pipeline: Pipeline) -> None:
    bound = pipeline.executors["thing"]
    for data in ([EVENT], typed_event(pipeline)):
        result = trivium.run(bound.cls, data, lookups={"fact": {CLOCK: FACT}})
        columns = result.rows.select(bound.declaration.row_schema.names)
        assert [plain_row(row, bound.declaration) for row in columns.to_pylist()] == [ROW]


def test_the_services_schema_says_what_each_kind_is(pipeline: Pipeline) -> None:
    schemas = openapi(pipeline, "/kinds")["components"]["schemas"]
    event: dict[str, Any] = schemas["Thing"]["properties"]
    assert (event["took"], event["key"]) == (
        {"type": "string", "format": "duration"},
        {"type": "string", "format": "uuid"},
    )
    assert event["counts"] == {"type": "object", "additionalProperties": {"type": "integer", **_WHOLE}}
    assert event["payload"] == {"description": "Any JSON value; in a row, its text."}


_WHOLE = {"minimum": -(2**63), "maximum": 2**63 - 1}


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_three_runtimes_make_the_same_of_every_kind(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = in_own_process("parity", str(config), folder=config.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds: batch, streaming, serving made the same of" in done.stdout
