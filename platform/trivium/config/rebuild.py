"""The worker's side of a plan: the same pipeline again, or a refusal that names what differs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from trivium.analysis.source_digest import engine_versions
from trivium.config.binding import Part, executor_logic, lookup_logic, part, pipeline_of, secret_name, source_logic
from trivium.config.model.pipeline import ExecutorEntry, PipelineConfig
from trivium.config.pipeline import Pipeline
from trivium.config.plan import Plan, canonical
from trivium.config.problems import dotted
from trivium.config.registry import ExecutorClass, Registry
from trivium.core.errors import RunError

NOTHING: Final = "nothing"


def rebuild(plan_json: bytes, secrets: Mapping[str, str], root: Path) -> Pipeline:
    """Return the pipeline a driver planned, from this process's own files at `root`.

    Raises:
        RunError: a source file, a distribution, an artifact or the engine differs from the driver's, or a secret is
            missing. The message names each difference with both values.
    """
    plan = Plan.parse(plan_json)
    root = root.resolve()
    logic, document = plan.document["logic"], plan.document["config"]
    _refuse("engine", logic["engine"], engine_versions())
    # The project comes first: a lookup of the configuration may be a class of it.
    registry = Registry.from_project(root, [entry["type"] for entry in document["executors"]])
    config = _config(document)
    _refuse("the batch source", logic["source"], source_logic(config, root))
    parts = [_part(entry, _found(registry, entry.type), plan, secrets, root) for entry in config.executors]
    made = pipeline_of(config, parts, root, plan, secrets)
    for name, lookup in made.lookups.items():
        _refuse(f"the lookup {name}", logic["lookups"][name], lookup_logic(lookup, root))
    return made


def _config(document: Mapping[str, Any]) -> PipelineConfig:
    try:
        return PipelineConfig.model_validate_json(canonical(document))
    except ValidationError as error:
        said = "; ".join(each["msg"] for each in error.errors(include_url=False))
        message = f"this worker cannot read the configuration that the driver planned: {said[:600]}"
        raise RunError(f"{message}. Ship the project with the job (working_dir).") from error


def _found(registry: Registry, event_type: str) -> ExecutorClass:
    failure = registry.failures.get(event_type)
    if failure is None:
        return registry.classes[event_type]
    message = f"this worker cannot load the executor of {event_type!r} that the driver planned: {failure.message}"
    raise RunError(f"{message}. Ship the project with the job (working_dir).")


def _part(entry: ExecutorEntry, cls: ExecutorClass, plan: Plan, secrets: Mapping[str, str], root: Path) -> Part:
    planned = plan.document["logic"]["executors"][entry.type]
    # Sources first: other options or another schema only follow from other sources.
    digest = part(cls, entry, cls.Options.model_construct(), {}, root).digest
    _refuse(f"the sources of {entry.type}", planned["source"], msgspec.to_builtins(digest))
    _check_artifacts(entry, root)
    given = {tuple(place): _secret(entry, place, secrets) for place in planned["secrets"]}
    found = Part(cls, entry, cls.Options.model_construct(), given, digest)
    _refuse(f"the executor {entry.type}", planned, executor_logic(found, root, plan.document["config"]["pipeline"]))
    options = cls.Options.model_validate_json(json.dumps(_filled(entry.options, given)))
    return replace(found, options=options)


def _check_artifacts(entry: ExecutorEntry, root: Path) -> None:
    for name, path in entry.artifacts.items():
        if not (root / path).is_file():
            message = f"the artifact {name} of {entry.type} is no file on this worker: {root / path}"
            raise RunError(f"{message}. Ship it with the project, or put it on a path all machines share.")


def _secret(entry: ExecutorEntry, place: list[Any], secrets: Mapping[str, str]) -> str:
    name = secret_name(entry.type, tuple(place))
    if name not in secrets:
        what = f"the option {dotted(tuple(place))} of {entry.type}"
        raise RunError(f"{what} did not reach this worker; hand the pipeline's secrets over with the plan.")
    return secrets[name]


def _filled(options: dict[str, Any], given: Mapping[tuple[Any, ...], str]) -> dict[str, Any]:
    """Return the options with the values that variables gave."""
    filled = copy.deepcopy(options)
    for place, value in given.items():
        holder: Any = filled
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = json.loads(value)
    return filled


def _refuse(what: str, planned: Any, here: Any) -> None:
    differing = list(_differences(planned, here))
    if differing:
        lines = "; ".join(f"{place}: planned {one}, here {other}" for place, one, other in differing[:5])
        raise RunError(
            f"this worker would run something else than the driver planned: {what} differs: {lines}. "
            "Give driver and workers the same files and the same environment."
        )


def _differences(planned: Any, here: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(planned, dict) and isinstance(here, dict):
        for key in sorted({*planned, *here}):
            inner = f"{place} {key}".strip()
            yield from _differences(planned.get(key, NOTHING), here.get(key, NOTHING), inner)
    elif planned != here:
        yield place, planned, here
