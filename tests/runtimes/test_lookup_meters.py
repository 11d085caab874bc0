"""Metrics of lookups as Ray's agents export them, and the page that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rates_project import Rates, own_modules
from tests.support.ray_metrics import wait_for
from trivium.config.compile import compile_file
from trivium.engine.lookups.metrics import LookupMetrics, joined
from trivium.engine.metrics import LOOKUP_CATALOGUE
from trivium.runtimes.lookup_meters import LookupMeters

__all__ = ["own_modules"]


class Measured:
    """A client with these metrics."""

    def __init__(self, found: LookupMetrics) -> None:
        self.found = found

    def metrics(self) -> LookupMetrics:
        return self.found


@pytest.mark.usefixtures("ray_cluster", "own_modules")
def test_what_a_client_counts_is_exported_once(tmp_path: Path) -> None:
    pipeline = compile_file(Rates(tmp_path).config)
    found = LookupMetrics(keys=9, cached=4, found=3, missing=2, calls=2, called_keys=5, breaker="open", cache_bytes=77)
    found.observe(0.003)
    found.observe(0.004)
    meters = LookupMeters(pipeline, lambda: [{"rates": Measured(found)}], "batch", "w1")
    meters.export()
    meters.export()
    samples = wait_for(lookup="rates", runtime="batch", worker="w1")
    assert {each["outcome"]: each["value"] for each in samples if each["name"] == "trivium_lookup_keys_total"} == {
        "cached": 4, "found": 3, "missing": 2,
    }  # fmt: skip
    values = {each["name"]: each["value"] for each in samples if "outcome" not in each and "le" not in each}
    assert values["trivium_lookup_calls_total"] == 2
    assert values["trivium_lookup_breaker"] == 2
    assert values["trivium_lookup_cache_bytes"] == 77
    assert values["trivium_lookup_call_seconds_count"] == 2
    (bound,) = (each for each in samples if each.get("le") == "0.005")
    assert bound["value"] == 2


def test_several_clients_of_a_lookup_are_shown_as_one() -> None:
    first = LookupMetrics(calls=1, cache_bytes=10, oldest_seconds=3.0, breaker="half_open")
    second = LookupMetrics(calls=2, cache_bytes=5, oldest_seconds=1.0)
    first.observe(0.001)
    second.observe(60.0)
    both = joined([first, second])
    assert (both.calls, both.cache_bytes, both.oldest_seconds, both.breaker) == (3, 15, 3.0, "half_open")
    assert (both.latency[0], both.latency[-1], both.latency_seconds) == (1, 1, 60.001)


def test_every_metric_is_listed_as_the_catalogue_has_it(repository: Path) -> None:
    lines = (repository / "docs/enrichment.md").read_text().splitlines()
    listed = [line for line in lines if line.startswith("| `trivium_")]
    assert listed == [f"| `{m.name}` | {m.kind} | {', '.join(m.tags)} | {m.description} |" for m in LOOKUP_CATALOGUE]
