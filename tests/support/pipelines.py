"""Pipelines made from classes, with a configuration and no file: for tests of what needs the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trivium.config.model.lookups import ParquetLookupSettings
from trivium.config.model.pipeline import (
    DeadLetters,
    EventTimeRange,
    ExecutorEntry,
    PipelineConfig,
    Routing,
    Table,
)
from trivium.config.pipeline import Pipeline, bind_lookups
from trivium.config.plan import Plan
from trivium.config.worker_spec import BoundExecutor, table_columns
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.retry import RetryPolicy

_NOWHERE: Final = "memory"


def pipeline_of(
    executors: Sequence[type[Executor[Any, Any]]],
    options: Mapping[str, ExecutorOptions] | None = None,
    routing: Routing | None = None,
    retry: RetryPolicy | None = None,
    event_time: EventTimeRange | None = None,
) -> Pipeline:
    """A pipeline of these executors. `options` maps event types to options; lookups are whatever they declare."""
    declarations = [executor.declaration for executor in executors]
    names = {enrichment.lookup for each in declarations for enrichment in each.enrichments.values()}
    config = PipelineConfig(
        pipeline="in-memory",
        executors=tuple(ExecutorEntry(type=each.event_type) for each in declarations),
        routing=routing or Routing(),
        lookups={name: ParquetLookupSettings(type="parquet", path=_NOWHERE, key="key") for name in sorted(names)},
        table=Table(type="delta", path=_NOWHERE),
        dead_letters=DeadLetters(type="delta", path=_NOWHERE),
        retry=retry or RetryPolicy(),
        event_time=event_time or EventTimeRange(),
    )
    bound = [_bound(executor, (options or {}).get(executor.declaration.event_type), config) for executor in executors]
    return Pipeline(
        name=config.pipeline,
        config=config,
        plan=Plan.of({"logic": {"executors": sorted(each.event_type for each in declarations)}}),
        executors={each.event_type: each for each in bound},
        lookups=bind_lookups(config, declarations),
        table_columns=table_columns(declarations),
        root=Path(),
        config_file=_NOWHERE,
    )


def _bound(
    executor: type[Executor[Any, Any]], options: ExecutorOptions | None, config: PipelineConfig
) -> BoundExecutor:
    given = options or executor.Options()
    return BoundExecutor(executor.declaration.event_type, executor, given, config.retry, artifacts={}, version=_NOWHERE)
