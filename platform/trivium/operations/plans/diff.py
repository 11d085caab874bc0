"""A pipeline beside an earlier plan of it: what a run would change, type by type, with the rows it would write anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trivium.config.pipeline import Pipeline
from trivium.config.plan import Plan
from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance.ledger import commits
from trivium.delivery.plans import find_plan
from trivium.operations.errors import ArgumentError
from trivium.operations.plans.versions import type_files


@dataclass(frozen=True)
class TypeChange:
    """One event type that differs: `kind` is added, changed or not listed; `parts` say what of it changed.

    `days` and `rows` are those of batch that a run over all days would write anew, as the table's log counts them.
    """

    event_type: str
    kind: str
    parts: tuple[str, ...]
    days: int
    rows: int


@dataclass(frozen=True)
class PlanDiff:
    """The plan `before` and the pipeline's own, `after`."""

    before: str
    after: str
    types: tuple[TypeChange, ...]
    new_columns: tuple[str, ...]
    unwritten_columns: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True if nothing that decides rows differs."""
        return not (self.types or self.new_columns or self.unwritten_columns or self.other)


def compare(pipeline: Pipeline, digest: str | None) -> PlanDiff:
    """Return how a pipeline differs from a plan that was kept (None: that of the table's last commit by a run).

    Raises:
        ArgumentError: there is no table, no commit of a run, or no such plan.
    """
    uri = pipeline.config.table.path
    snapshot = Snapshot.find(uri)
    if snapshot is None:
        raise ArgumentError(f"there is no table at {uri} yet: nothing to compare with")
    before = kept_plan(uri, digest or _last_plan(uri))
    return _diff(before, pipeline.plan, _held(snapshot))


def kept_plan(uri: str, digest: str) -> Plan:
    """Return a plan that was kept beside a table, by its hash.

    Raises:
        ArgumentError: there is none.
    """
    found = find_plan(uri, digest)
    if found is None:
        raise ArgumentError(f"the plan {digest} was not kept beside {uri}. Try: one of the column _plan of its rows")
    return found


def _last_plan(uri: str) -> str:
    plans = [plan for each in commits(uri) if (plan := each.metadata.get("plan"))]
    if not plans:
        raise ArgumentError(f"no run has committed to {uri} yet: nothing to compare with. Try: trivium plan CONFIG")
    return plans[-1]


def _diff(before: Plan, after: Plan, held: Mapping[str, tuple[int, int]]) -> PlanDiff:
    old, new = (plan.document["logic"] for plan in (before, after))
    types = []
    for name in sorted({*old["executors"], *new["executors"]}):
        if name not in new["executors"]:
            types.append(TypeChange(name, "not listed", (), 0, 0))
        elif name not in old["executors"]:
            types.append(TypeChange(name, "added", (), *held.get(name, (0, 0))))
        elif before.executor_version(name) != after.executor_version(name):
            parts = tuple(_parts(name, old, new))
            types.append(TypeChange(name, "changed", parts, *held.get(name, (0, 0))))
    columns = [{each["name"]: each["type"] for each in logic["table"]} for logic in (old, new)]
    other = [key for key in ("engine", "event_time", "routing", "impure_rejected", "source") if old[key] != new[key]]
    return PlanDiff(
        before.plan_short,
        after.plan_short,
        tuple(types),
        tuple(name for name in columns[1] if columns[1][name] != columns[0].get(name)),
        tuple(name for name in columns[0] if name not in columns[1]),
        tuple(other),
    )


def _parts(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a type's executor differs, in a user's words."""
    one, other = (logic["executors"][name] for logic in (old, new))
    names = {"values": "options", "secrets": "options", "row": "columns", "event": "fields"}
    yield from dict.fromkeys(names.get(key, key) for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    used = {each["lookup"] for each in other["enrichments"].values()}
    yield from (f"lookup {each}" for each in sorted(used) if old["lookups"].get(each) != new["lookups"].get(each))


def _held(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Return the event days and rows of batch by event type, as the log counts them."""
    days: dict[str, set[str]] = {}
    rows: Counter[str] = Counter()
    for file in type_files(snapshot):
        days.setdefault(file.event_type, set()).add(file.day)
        rows[file.event_type] += file.rows
    return {name: (len(each), rows[name]) for name, each in days.items()}
