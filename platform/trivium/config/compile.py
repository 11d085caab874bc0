"""A pipeline file to a `Pipeline`, or all its problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from trivium.analysis.purity.check import impurities
from trivium.config import checks, paths, routing, validate
from trivium.config.binding import inside, part, pipeline_of, plan_of, secret_name
from trivium.config.entries import expand
from trivium.config.include import include
from trivium.config.model.pipeline import ExecutorEntry, PipelineConfig, overruled
from trivium.config.model.streaming import KAFKA_FILES, Streaming
from trivium.config.options import (
    Options,
    read_options,
    secret_settings,
    take_lookup_secrets,
    take_secrets,
    take_values,
)
from trivium.config.pipeline import USERNAME, BoundLookup, Pipeline
from trivium.config.plan import Plan
from trivium.config.problems import ConfigError
from trivium.config.problems import Path as Place
from trivium.config.registry import ExecutorClass, Registry
from trivium.config.yaml.document import Document
from trivium.config.yaml.load import load
from trivium.contract.lookup_settings import LookupSettings

__all__ = ["BoundLookup", "Pipeline", "Plan", "RuntimeName", "compile_file"]

RuntimeName = Literal["batch", "streaming", "serving"]
_DATA: Final[tuple[Place, ...]] = (("table", "path"), ("dead_letters", "path"), ("batch", "source", "path"))
_SECURITY: Final[Place] = ("streaming", "source", "security")
_USERNAME: Final[Place] = (*_SECURITY, "username")
_KEYS: Final[Place] = ("serving", "api_keys")
_SECTION_HINTS: Final[dict[str, str]] = {
    "batch": "batch: {source: …}",
    "streaming": "streaming: {source: …}",
    "serving": "serving: {route: /…}",
}


def compile_file(
    path: str | Path,
    environ: Mapping[str, str] = os.environ,
    runtime: RuntimeName | None = "batch",
    relative: paths.Relative | None = None,
) -> Pipeline:
    """Compile a pipeline file for a runtime (None: whichever it has), importing the project's executors.

    `relative` says whether relative data paths mean anything; None: except in a submitted Ray job they do.

    Steps: read the tree, find the project, take in the files of teams, write entries for several event types out, find
    the executors, read their options, validate the file, resolve paths, check what must agree, bind. Steps that a
    problem does not prevent are taken all the same.

    Raises:
        ConfigError: with all problems found, sorted by position.
    """
    file = Path(path)
    document = load(file, environ)
    root = paths.project_root(file)
    if root is None:
        document.add_at((1, 1), "no-project", "no folder above this file holds executors/", "trivium new project NAME")
        validate.validated(PipelineConfig, document, (), validate.FILE)
        raise ConfigError(document.problems)
    if relative is None:
        relative = paths.Relative.REFUSED if paths.in_ray_job(environ) else paths.Relative.RESOLVED
    base = paths.Base(root, relative)
    include(document, environ, root)
    expand(document, root)
    return _Compilation(document, base, runtime).pipeline(inside(root, str(file.resolve())))


class _Compilation:
    """One compilation of a readable file of a project."""

    def __init__(self, document: Document, base: paths.Base, runtime: RuntimeName | None) -> None:
        self._document, self._base, self._runtime = document, base, runtime
        self._classes: dict[int, ExecutorClass] = {}
        self._options: dict[int, Options] = {}
        self._data: dict[Place, str] = {}
        self._files: dict[Place, str] = {}
        self._secrets: dict[str, str] = {}

    def pipeline(self, config_file: str) -> Pipeline:
        """Return the pipeline, or all problems."""
        self._find_executors()
        self._read_options()
        self._secrets.update(take_secrets(self._document, _SECURITY, [("password",)]) or {})
        username = take_values(self._document, _USERNAME).get(())
        if username is not None:
            self._secrets[USERNAME] = username
        keys = self._document.at(_KEYS)
        places: list[Place] = [(index,) for index in range(len(keys) if isinstance(keys, list) else 0)]
        taken = take_secrets(self._document, _KEYS, places) or {}
        checks.check_api_keys(self._document, [(*_KEYS, *place) for place in places], taken)
        self._secrets.update(taken)
        self._secrets.update(take_lookup_secrets(self._document))
        config = validate.validated(PipelineConfig, self._document, (), validate.FILE)
        self._resolve_paths()
        self._cross_check()
        if config is None or self._document.problems:
            raise ConfigError(self._document.problems)
        pipeline = self._bound(self._resolved(config), config_file)
        checks.check_keys(self._document, pipeline.lookups)
        if self._document.problems:
            raise ConfigError(self._document.problems)
        return pipeline

    def _find_executors(self) -> None:
        listed = list(checks.event_types(self._document))
        registry = Registry.from_project(self._base.root, [event_type for _, event_type in listed])
        for index, event_type in listed:
            failure = registry.failures.get(event_type)
            if failure:
                place = ("executors", index, "type")
                self._document.add(place, failure.code, failure.message, failure.hint)
            else:
                self._classes[index] = registry.classes[event_type]

    def _read_options(self) -> None:
        for index, cls in self._classes.items():
            read = read_options(cls.Options, self._document, ("executors", index, "options"))
            if read is not None:
                name = self._document.at(("executors", index, "type"))
                self._options[index] = read
                self._secrets.update({secret_name(name, place): value for place, value in read.given.items()})

    def _resolve_paths(self) -> None:
        lookups = self._document.value.get("lookups")
        sections = lookups.items() if isinstance(lookups, dict) else ()
        with_path = [name for name, section in sections if isinstance(section, dict) and "path" in section]
        for place in (*_DATA, *(("lookups", name, "path") for name in with_path)):
            resolved = paths.resolve_data(self._document, place, self._base)
            if resolved is not None:
                self._data[place] = resolved
        paths.check_overlap(self._document, self._data)
        for index, _ in checks.event_types(self._document):
            entry: Place = ("executors", index, "artifacts")
            artifacts = self._document.at(entry)
            for name in artifacts if isinstance(artifacts, dict) else ():
                self._resolve_file((*entry, name), "artifact-missing", f"the artifact {name}")
        for name in KAFKA_FILES:
            self._resolve_file((*_SECURITY, name), "file-missing", name)
        for place in (("lookups", name, "tls", file) for name in dict(sections) for file in KAFKA_FILES):
            self._resolve_file(place, "file-missing", place[-1])
        checks.check_key_file(self._document, ("serving", "api_keys_file"))

    def _resolve_file(self, place: Place, code: str, what: str) -> None:
        resolved = paths.resolve_artifact(self._document, place, self._base)
        if resolved is None:
            return
        self._files[place] = resolved
        if not os.path.isfile(resolved):
            self._document.add(place, code, f"{what} is no file: {resolved}", "expected the path of one file")

    def _owner(self, index: int) -> str | None:
        owner = self._document.at(("executors", index, "owner"))
        return owner if isinstance(owner, str) else None

    def _cross_check(self) -> None:
        document = self._document
        listed = [
            checks.Listed(
                index,
                cls.declaration.of_type(document.at(("executors", index, "type"))),
                self._owner(index),
            )
            for index, cls in self._classes.items()
        ]
        checks.check_listed_once(document)
        checks.check_columns(document, listed)
        checks.check_lookups(document, listed)
        secret = {(*place, *below) for place, below in secret_settings(document)}
        checks.check_plugin_variables(document, secret)
        routing.check_routed_field(document, listed)
        routing.check_topics(document, listed)
        routing.check_source_types(document)
        executors = document.value.get("executors")
        if isinstance(executors, list) and len(listed) == len(executors) > 0:
            checks.check_used(document, listed)
        self._check_purity()
        self._check_runtimes()

    def _check_purity(self) -> None:
        """Under `purity: strict` an executor that is impure as far as its sources say does not compile."""
        if self._document.value.get("purity") != "strict":
            return
        for index, cls in self._classes.items():
            for found in impurities(cls, self._base.root):
                place = ("executors", index, "type")
                self._document.add(place, "executor-impure", found.message, found.instead)

    def _check_runtimes(self) -> None:
        runtimes = get_args(RuntimeName) if self._runtime is None else (self._runtime,)
        if not any(runtime in self._document.value for runtime in runtimes):
            message = f"the {' or the '.join(runtimes)} runtime needs the section {' or '.join(runtimes)}"
            self._document.add_at((1, 1), "missing-section", message, _SECTION_HINTS[runtimes[0]])

    def _resolved(self, config: PipelineConfig) -> PipelineConfig:
        """Return the configuration with absolute data paths, project-relative artifacts and complete retry policies."""
        data = self._data
        lookups = {name: self._lookup(name, lookup, config) for name, lookup in config.lookups.items()}
        update: dict[str, Any] = {
            "include": (),
            "executors": tuple(self._entry(index, entry, config) for index, entry in enumerate(config.executors)),
            "lookups": lookups,
            "table": config.table.model_copy(update={"path": data[("table", "path")]}),
            "dead_letters": config.dead_letters.model_copy(update={"path": data[("dead_letters", "path")]}),
        }
        if config.batch is not None:
            path = data.get(("batch", "source", "path"))
            source = config.batch.source.model_copy(update={} if path is None else {"path": path})
            update["batch"] = config.batch.model_copy(update={"source": source})
        if config.streaming is not None:
            update["streaming"] = self._streaming(config.streaming)
        return config.model_copy(update=update)

    def _lookup(self, name: str, lookup: LookupSettings, config: PipelineConfig) -> LookupSettings:
        place = ("lookups", name, "path")
        path = {"path": self._data[place]} if place in self._data else {}
        files = {file: self._files.get(("lookups", name, "tls", file)) for file in KAFKA_FILES}
        found = {file: inside(self._base.root, resolved) for file, resolved in files.items() if resolved is not None}
        tls = {"tls": lookup.tls.model_copy(update=found)} if found else {}  # type: ignore[attr-defined]
        return lookup.model_copy(update={**path, **tls, "retry": overruled(config.retry, lookup.retry)})

    def _streaming(self, streaming: Streaming) -> Streaming:
        places = {name: (*_SECURITY, name) for name in KAFKA_FILES}
        files = {name: inside(self._base.root, self._files[at]) for name, at in places.items() if at in self._files}
        source = streaming.source
        security = source.security.model_copy(update=files)
        return streaming.model_copy(update={"source": source.model_copy(update={"security": security})})

    def _entry(self, index: int, entry: ExecutorEntry, config: PipelineConfig) -> ExecutorEntry:
        artifacts = {
            name: inside(self._base.root, self._files[("executors", index, "artifacts", name)])
            for name in entry.artifacts
        }
        return entry.model_copy(update={"artifacts": artifacts, "retry": overruled(config.retry, entry.retry)})

    def _bound(self, config: PipelineConfig, config_file: str) -> Pipeline:
        root, options = self._base.root, self._options
        parts = [
            part(self._classes[index], entry, options[index].value, options[index].given, root)
            for index, entry in enumerate(config.executors)
        ]
        plan = plan_of(config, parts, root, config_file)
        listed = {
            entry.type: inside(root, str(Path(self._document.line_of(("executors", index, "type"))).resolve()))
            for index, entry in enumerate(config.executors)
        }
        return replace(pipeline_of(config, parts, root, plan, self._secrets), listed=listed)
