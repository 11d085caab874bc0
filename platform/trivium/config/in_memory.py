"""A worker's specification made from classes instead of a file: for notebooks, samples and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from trivium.config.plan import Plan
from trivium.config.worker_spec import (
    BoundExecutor,
    LookupSpec,
    RoutingSpec,
    WorkerSpec,
    event_times,
    lookup_columns,
    table_columns,
)
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.retry import RetryPolicy

_NOWHERE: Final = "memory"
_EVENT_TIMES: Final = (date(1970, 1, 1), date(2200, 1, 1))


def spec_of(
    executors: Sequence[type[Executor[Any, Any]]],
    options: Mapping[str, ExecutorOptions] | None = None,
    routing: RoutingSpec | None = None,
    retry: RetryPolicy | None = None,
    event_days: tuple[date, date] = _EVENT_TIMES,
) -> WorkerSpec:
    """Return the specification of a worker of these executors.

    `options` maps event types to options; lookups are whatever they declare.
    """
    declarations = [executor.declaration for executor in executors]
    policy = retry or RetryPolicy()
    plan = Plan.of({"logic": {"executors": sorted(each.event_type for each in declarations)}})
    earliest, latest = event_times(*event_days)
    return WorkerSpec(
        name="in-memory",
        executors={
            each.declaration.event_type: BoundExecutor(
                each, (options or {}).get(each.declaration.event_type) or each.Options(), policy, {}, _NOWHERE
            )
            for each in executors
        },
        lookups={
            name: LookupSpec(name, columns, key_type, policy, "fail")
            for name, (columns, key_type) in sorted(lookup_columns(declarations).items())
        },
        routing=routing or RoutingSpec(),
        table_columns=table_columns(declarations),
        logic=plan.logic_short,
        plan=plan.plan_short,
        earliest=earliest,
        latest=latest,
        purity="warn",
    )
