"""The catalogue's metrics as Ray's, which the cluster's agents export for Prometheus (with `ray_` before the name)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.util.metrics import Counter, Gauge, Histogram

from trivium.config.pipeline import Pipeline
from trivium.engine.metrics import CATALOGUE, HASHES, Metric


class Meters:
    """All metrics of one run, tagged with its pipeline, the pipeline's hashes, and `tags`."""

    def __init__(self, pipeline: Pipeline, catalogue: Sequence[Metric] = CATALOGUE, **tags: str) -> None:
        hashes = dict(zip(HASHES, (pipeline.plan.logic_short, pipeline.plan.plan_short), strict=True))
        self._own = {"pipeline": pipeline.name, **hashes, **tags}
        self._meters: dict[str, Any] = {metric.name: _made(metric) for metric in catalogue}
        self._totals: dict[tuple[str, tuple[str, ...]], float] = {}

    def add(self, metric: Metric, amount: float, **tags: str) -> None:
        """Add to a counter. Ray refuses nothing: adding nothing is left out here."""
        if amount > 0:
            self._meters[metric.name].inc(amount, self._tags(tags))

    def raise_to(self, metric: Metric, total: float, **tags: str) -> None:
        """Bring a counter up to a total that someone else keeps."""
        key = (metric.name, tuple(tags.values()))
        self.add(metric, total - self._totals.get(key, 0.0), **tags)
        self._totals[key] = total

    def set(self, metric: Metric, value: float, **tags: str) -> None:
        """Set a gauge."""
        self._meters[metric.name].set(value, self._tags(tags))

    def observe(self, metric: Metric, value: float, **tags: str) -> None:
        """Count a value in a histogram."""
        self._meters[metric.name].observe(value, self._tags(tags))

    def _tags(self, tags: dict[str, str]) -> dict[str, str]:
        return {**self._own, **tags}


def _made(metric: Metric) -> Any:
    tags = (*metric.tags, *HASHES)
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.description, list(metric.buckets), tags)
    kinds = {"counter": Counter, "gauge": Gauge}
    return kinds[metric.kind](metric.name, metric.description, tags)
