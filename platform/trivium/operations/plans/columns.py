"""Columns of a pipeline that its table cannot take, with the event types and the owners of both sides."""

from __future__ import annotations

from collections.abc import Iterable

from trivium.config.pipeline import Pipeline
from trivium.config.plan import Plan
from trivium.delivery.columns import Conflict, merged
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.files.lineage import table_schema
from trivium.delivery.maintenance.ledger import commits
from trivium.delivery.plans import find_plan

_NAMED = 5


def column_conflicts(pipeline: Pipeline, snapshot: Snapshot | None) -> list[str]:
    """Return why the table's columns cannot become what the pipeline writes: one sentence a column.

    Who wrote a column into the table is read from the newest kept plan that has it.
    """
    if snapshot is None:
        return []
    found = merged(snapshot.schema, table_schema(pipeline.table_columns)).conflicts
    return [_sentence(each, pipeline, _writer_of(each.column, pipeline.config.table.path)) for each in found]


def _sentence(conflict: Conflict, pipeline: Pipeline, before: Plan | None) -> str:
    there = f"{conflict.table or 'not there'} in the table{_makers(before, conflict.column)}"
    wanted = f"{conflict.pipeline or 'not written'} in the pipeline{_makers(pipeline.plan, conflict.column)}"
    return f"column {conflict.column} {conflict.reason}: {there}, {wanted}"


def _writer_of(column: str, uri: str) -> Plan | None:
    """Return the newest kept plan of a commit of which some event type has a column."""
    digests = dict.fromkeys(plan for each in reversed(commits(uri)) if (plan := each.metadata.get("plan")))
    plans = (find_plan(uri, digest) for digest in digests)
    return next((plan for plan in plans if plan is not None and _types_with(plan, column)), None)


def _types_with(plan: Plan, column: str) -> list[str]:
    executors = plan.document["logic"]["executors"]
    return sorted(name for name, each in executors.items() if any(own["name"] == column for own in each["row"]))


def _makers(plan: Plan | None, column: str) -> str:
    """Name the event types of a plan whose rows have a column, each with its owner."""
    if plan is None or not (types := _types_with(plan, column)):
        return ""
    owners = {each["type"]: each.get("owner") for each in plan.document["config"]["executors"]}
    more = " and others" if len(types) > _NAMED else ""
    return f" (event type {', '.join(_named(types[:_NAMED], owners))}{more})"


def _named(types: Iterable[str], owners: dict[str, str | None]) -> Iterable[str]:
    return (f"{name}, owned by {owners[name]}" if owners.get(name) else name for name in types)
