"""Samples of a pipeline whose types a header names: each is of its executor's type, with a tag or without."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipelines import pipeline_of
from tests.support.sales import ROW, SHOP, SaleExecutor, sale
from trivium.config.model.pipeline import Routing
from trivium.samples.check import check_samples


@pytest.mark.parametrize(
    "routing", [Routing(header="kind"), Routing(topics={"sales": "sale"})], ids=["header", "topic"]
)
@pytest.mark.parametrize("tag", [{}, {"event_type": "sale"}, {"event_type": "other"}], ids=str)
def test_a_sample_needs_no_tag_and_none_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, routing: Routing, tag: dict[str, Any]
) -> None:
    event = {name: value for name, value in sale().items() if name != "event_type"}
    sample = {"event": {**event, **tag}, "enrichments": {"own": SHOP}, "rows": [ROW]}
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    place = replace(SaleExecutor.declaration, file=str(tmp_path / "executor.py"))
    monkeypatch.setattr(SaleExecutor, "declaration", place)
    monkeypatch.chdir(tmp_path)
    (found,) = check_samples(pipeline_of([SaleExecutor], routing=routing).worker_spec)
    assert (found.samples, found.problems) == (1, ())
