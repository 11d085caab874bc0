"""The compiled pipeline: what the engine and the runtimes take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from trivium.config.model.pipeline import ParquetLookup, PipelineConfig
from trivium.config.model.serving import Serving
from trivium.config.model.streaming import KAFKA_FILES, KafkaSource
from trivium.config.plan import Plan
from trivium.config.yaml.interpolate import variable
from trivium.contract.declaration import Declaration
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.retry import RetryPolicy
from trivium.core.errors import RunError
from trivium.types.spec import FieldSpec

USERNAME: Final = "streaming.source.security.username"
"""The name under which the Kafka user travels beside the plan; no variable can have such a name."""


@dataclass(frozen=True)
class BoundExecutor:
    """An executor class with everything the pipeline file says about it.

    `artifacts` maps names to absolute local paths; `version` is the short digest of its sources and distributions.
    """

    cls: type[Executor[Any, Any]]
    options: ExecutorOptions = field(repr=False)
    retry: RetryPolicy
    artifacts: Mapping[str, str]
    version: str

    @property
    def declaration(self) -> Declaration:
        """The class's event, row and enrichments."""
        return self.cls.declaration

    @property
    def event_type(self) -> str:
        """The event type the executor answers for."""
        return self.cls.declaration.event_type

    def create(self) -> Executor[Any, Any]:
        """A new instance. `open` has not been called on it."""
        return self.cls(self.options)


@dataclass(frozen=True)
class BoundLookup:
    """A lookup with its resolved path.

    `columns` are the fields all enrichments that use it ask for, by wire name; `key_type` is the type of their keys.
    """

    name: str
    config: ParquetLookup
    retry: RetryPolicy
    columns: tuple[FieldSpec, ...]
    key_type: pa.DataType


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that compiled: its configuration is complete, consistent and resolved.

    `table_columns` are the author's columns of the shared table, without lineage columns and `event_date`.
    `secrets` maps names to values that only stand in the plan as references; they travel beside it, never in it.
    """

    name: str
    config: PipelineConfig
    plan: Plan
    executors: Mapping[str, BoundExecutor]
    lookups: Mapping[str, BoundLookup]
    table_columns: pa.Schema
    root: Path
    config_file: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def kafka_source(self) -> KafkaSource:
        """The streaming source as this process reads it: its certificates and keys are absolute local paths.

        Raises:
            RunError: the pipeline has no streaming section.
        """
        if self.config.streaming is None:
            raise RunError(f"the pipeline {self.name} has no section streaming; add streaming: {{source: …}}.")
        source = self.config.streaming.source
        files = {name: getattr(source.security, name) for name in KAFKA_FILES}
        update = {name: str(self.root / file) for name, file in files.items() if file is not None}
        if USERNAME in self.secrets:
            update["username"] = json.loads(self.secrets[USERNAME])
        return source.model_copy(update={"security": source.security.model_copy(update=update)})

    def kafka_password(self) -> str | None:
        """The SASL password, None where the source needs none.

        Raises:
            RunError: the pipeline has no streaming section, or the secret did not reach this process.
        """
        password = self.kafka_source().security.password
        return None if password is None else self._secret(variable(password.get_secret_value()) or "")

    def serving_section(self) -> Serving:
        """The serving section.

        Raises:
            RunError: the pipeline has none.
        """
        if self.config.serving is None:
            raise RunError(f"the pipeline {self.name} has no section serving; add serving: {{route: /{self.name}}}.")
        return self.config.serving

    def api_keys(self) -> tuple[str, ...]:
        """The API keys the file names by variables; those of `api_keys_file` are not among them.

        Raises:
            RunError: the pipeline has no serving section, or a secret did not reach this process.
        """
        references = [key.get_secret_value() for key in self.serving_section().api_keys]
        return tuple(self._secret(variable(reference) or "") for reference in references)

    def _secret(self, name: str) -> str:
        if name not in self.secrets:
            message = f"the secret {name or 'password'} did not reach this process"
            raise RunError(f"{message}; hand the pipeline's secrets over with the plan.")
        return self.secrets[name]


def table_columns(declarations: Iterable[Declaration]) -> pa.Schema:
    """The union of all row schemas: `event_id`, `event_time`, then the others in order of first appearance.

    The others are nullable: rows of another executor do not have them.
    """
    found: dict[str, pa.Field] = {}
    first = ("event_id", "event_time")
    for declaration in declarations:
        for column in declaration.row_schema:
            found.setdefault(column.name, column.with_nullable(column.name not in first))
    ordered = [found.pop(name) for name in first if name in found]
    return pa.schema([*ordered, *found.values()])


def bind_lookups(config: PipelineConfig, declarations: Iterable[Declaration]) -> dict[str, BoundLookup]:
    """Every lookup of `config` with the columns and the key type the enrichments ask of it."""
    columns: dict[str, dict[str, FieldSpec]] = {name: {} for name in config.lookups}
    key_types: dict[str, pa.DataType] = {}
    for declaration in declarations:
        keys = {spec.name: spec.type.arrow for spec in declaration.event_fields}
        for name, enrichment in declaration.enrichments.items():
            key_types.setdefault(enrichment.lookup, keys[enrichment.key])
            for spec in declaration.enrichment_fields[name]:
                known = columns[enrichment.lookup].get(spec.wire)
                if known is None or spec.nullable:
                    columns[enrichment.lookup][spec.wire] = spec
    return {
        name: BoundLookup(name, lookup, lookup.retry or config.retry, tuple(columns[name].values()), key_types[name])
        for name, lookup in config.lookups.items()
    }
