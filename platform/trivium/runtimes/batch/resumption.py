"""Units that a killed run finished, and which event types of them are still what this run would make.

A unit's marker says for each event type what made it: the executor version, the columns in the table's types, the
lookups' snapshots, and what of the pipeline decides the rows of all types. So a change to one executor leaves the other
types' results to be used. Inputs without a type depend on which types there are; where those or the engine changed,
nothing of a unit is used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trivium.config.pipeline import Pipeline
from trivium.config.plan import SHOWN, canonical, sha256
from trivium.delivery.files.unit_markers import UnitMarker

UNTYPED: Final = ""
"""Stands among event types for the inputs that have none."""

_OF_ALL_TYPES: Final = ("engine", "event_time", "impure_rejected", "routing", "source")
"""Parts of the logic that decide the rows of every type."""


@dataclass(frozen=True)
class Resumable:
    """Markers by unit key: of units that are done, and of those of which some event types have to run again."""

    done: Mapping[str, UnitMarker] = field(default_factory=dict)
    rests: Mapping[str, frozenset[str]] = field(default_factory=dict)


def made_by(pipeline: Pipeline, lookups: Mapping[str, str]) -> dict[str, str]:
    """Return a digest, by event type, of what decides its rows; `lookups` maps names to snapshots."""
    logic = pipeline.plan.document["logic"]
    base = {name: logic[name] for name in _OF_ALL_TYPES}
    made = {} if pipeline.narrowed else {UNTYPED: _digest({"base": base, "types": sorted(pipeline.executors)})}
    for name, bound in pipeline.executors.items():
        declaration = bound.declaration
        own = set(declaration.row_schema.names)
        used = sorted({each.lookup for each in declaration.enrichments.values()})
        decides = {
            "base": base,
            "executor": pipeline.plan.executor_version(name),
            "columns": sorted([each.name, str(each.type)] for each in pipeline.table_columns if each.name in own),
            "lookups": {each: lookups[each] for each in used},
        }
        made[name] = _digest(decides)
    return made


def resumable(markers: Mapping[str, UnitMarker], keys: Collection[str], made: Mapping[str, str]) -> Resumable:
    """Return what of the markers a run can use; `keys` are those of its units, `made` what would make them now."""
    done: dict[str, UnitMarker] = {}
    rests: dict[str, frozenset[str]] = {}
    for key in keys & markers.keys():
        changed = frozenset(name for name, digest in made.items() if markers[key].made.get(name) != digest)
        if not changed:
            done[key] = markers[key]
        elif UNTYPED not in changed and changed != made.keys() - {UNTYPED}:
            rests[key] = changed
    return Resumable(done, rests)


def _digest(value: Any) -> str:
    return sha256(canonical(value))[:SHOWN]
