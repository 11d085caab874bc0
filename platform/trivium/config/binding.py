"""Puts a valid configuration and its executor classes together: the plan's document and the pipeline itself."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from trivium.analysis.source_digest import Digest, engine_versions, file_sha256, source_digest
from trivium.config.model.kinds import Kinds
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.model.pipeline import ExecutorEntry, PipelineConfig
from trivium.config.model.references import put_references
from trivium.config.model.sources import SOURCE_KINDS
from trivium.config.pipeline import BoundLookup, Pipeline, bind_lookups
from trivium.config.plan import Plan, canonical, slow_digest
from trivium.config.problems import Path as Place
from trivium.config.worker_spec import BoundExecutor, table_columns
from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.lookup_settings import LookupSettings, RemoteLookupSettings
from trivium.types.spec import FieldSpec

_SCHEDULING: Final = {
    *("refresh_seconds", "max_age_seconds", "max_rows", "max_bytes", "retry"),
    *RemoteLookupSettings.model_fields.keys() - LookupSettings.model_fields.keys(),
}
"""Keys of lookups that decide when facts are read, how and how many, and not what they say."""


@dataclass(frozen=True)
class Part:
    """One executor on its way into a pipeline. `given` maps places of its options to values that variables gave."""

    cls: type[Executor[Any, Any]]
    entry: ExecutorEntry
    options: ExecutorOptions = field(repr=False)
    given: Mapping[Place, str] = field(repr=False)
    digest: Digest

    @property
    def declaration(self) -> Declaration:
        """The declaration of the class, for the event type of the entry."""
        return self.cls.declaration.of_type(self.entry.type)


def part(
    cls: type[Executor[Any, Any]],
    entry: ExecutorEntry,
    options: ExecutorOptions,
    given: Mapping[Place, str],
    root: Path,
) -> Part:
    """Return a part with the digest of the class's sources."""
    digest = source_digest(cls.__module__, Path(cls.declaration.file), root)
    return Part(cls, entry, options, given, digest)


def secret_name(event_type: str, place: Place) -> str:
    """Return the name under which an option's value travels beside the plan; no variable can have such a name."""
    return json.dumps([event_type, *place])


def plan_of(config: PipelineConfig, parts: Sequence[Part], root: Path, config_file: str) -> Plan:
    """Return the plan of a complete configuration."""
    lookups = bind_lookups(config, [part.declaration for part in parts])
    logic = {
        "engine": engine_versions(),
        "event_time": config.event_time.model_dump(mode="json"),
        "executors": {part.entry.type: executor_logic(part, root, config.pipeline) for part in parts},
        "impure_rejected": config.purity == "strict",
        "lookups": {name: lookup_logic(lookup, root) for name, lookup in lookups.items()},
        "routing": config.routing.model_dump(mode="json"),
        "source": source_logic(config, root),
        "table": sorted(_columns(table_columns(part.declaration for part in parts)), key=canonical),
    }
    return Plan.of({"config": config.model_dump(mode="json"), "config_file": config_file, "logic": logic})


def pipeline_of(
    config: PipelineConfig, parts: Sequence[Part], root: Path, plan: Plan, secrets: Mapping[str, str]
) -> Pipeline:
    """Return the pipeline of a complete configuration and its plan."""
    declarations = [part.declaration for part in parts]
    return Pipeline(
        name=config.pipeline,
        config=config,
        plan=plan,
        executors={part.entry.type: _bound(part, config, root, plan) for part in parts},
        lookups=bind_lookups(config, declarations, secrets, root),
        table_columns=table_columns(declarations),
        root=root,
        config_file=plan.document["config_file"],
        secrets=dict(secrets),
    )


def executor_logic(part: Part, root: Path, pipeline: str) -> dict[str, Any]:
    """Return what decides the rows of one executor of a pipeline, as plain data."""
    declaration = part.declaration
    given = sorted(([list(place), value] for place, value in part.given.items()), key=canonical)
    return {
        "artifacts": {name: file_sha256(root / path) for name, path in part.entry.artifacts.items()},
        "class": f"{part.cls.__module__}:{part.cls.__qualname__}",
        "enrichments": _enrichments(declaration),
        "event": _fields(declaration.event_fields),
        "options": part.entry.options,
        "row": _columns(declaration.row_schema),
        "secrets": [place for place, _ in given],
        "source": msgspec.to_builtins(part.digest),
        "values": slow_digest(pipeline, canonical(given)) if given else None,
    }


def inside(root: Path, path: str) -> str:
    """Return a path of the project relative to its root, which differs between machines; any other path as it is."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def _bound(part: Part, config: PipelineConfig, root: Path, plan: Plan) -> BoundExecutor:
    artifacts = {name: str(root / path) for name, path in part.entry.artifacts.items()}
    retry = part.entry.retry or config.retry
    return BoundExecutor(
        part.entry.type, part.cls, part.options, retry, artifacts, plan.executor_version(part.entry.type)
    )


def _enrichments(declaration: Declaration) -> dict[str, Any]:
    return {
        name: {
            "fields": _fields(declaration.enrichment_fields[name]),
            "key": enrichment.key,
            "lookup": enrichment.lookup,
            "missing": enrichment.missing,
            **({"as_of": enrichment.as_of} if enrichment.as_of else {}),
            **({"default": msgspec.to_builtins(enrichment.default)} if enrichment.default is not None else {}),
        }
        for name, enrichment in declaration.enrichments.items()
    }


def lookup_logic(lookup: BoundLookup, root: Path) -> dict[str, Any]:
    """Return what decides the facts of a lookup, as plain data."""
    settings = put_references(lookup.config, lookup.config.model_dump(mode="json", exclude=_SCHEDULING))
    if "path" in settings:
        settings["path"] = inside(root, settings["path"])
    return {
        "columns": _fields(lookup.columns),
        "key_type": str(lookup.key_type),
        "settings": settings,
        "source": _plugin_digest(LOOKUP_KINDS, lookup.config.type, root),
    }


def source_logic(config: PipelineConfig, root: Path) -> dict[str, Any] | None:
    """Return the digest of the plug-in that reads the archive; None where a built-in source does, or none."""
    return None if config.batch is None else _plugin_digest(SOURCE_KINDS, config.batch.source.type, root)


def _plugin_digest(kinds: Kinds[Any], name: str, root: Path) -> dict[str, Any] | None:
    if name in kinds.built_in:
        return None
    cls = kinds.plugin(name)
    found: dict[str, Any] = msgspec.to_builtins(source_digest(cls.__module__, Path(inspect.getfile(cls)), root))
    return found


def _fields(specs: Sequence[FieldSpec]) -> list[dict[str, Any]]:
    return [{"name": s.name, "nullable": s.nullable, "type": str(s.type.declared), "wire": s.wire} for s in specs]


def _columns(schema: pa.Schema) -> list[dict[str, Any]]:
    return [{"name": c.name, "nullable": c.nullable, "type": str(c.type)} for c in schema]
