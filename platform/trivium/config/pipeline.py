"""The compiled pipeline: what the engine and the runtimes take."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import pyarrow as pa

from trivium.config.model.pipeline import PipelineConfig
from trivium.config.model.references import filled, variables_of
from trivium.config.model.remote_lookups import Tls
from trivium.config.model.serving import Serving
from trivium.config.model.streaming import KAFKA_FILES, KafkaSource
from trivium.config.plan import Plan
from trivium.config.worker_spec import (
    BoundExecutor,
    LookupNeeds,
    LookupSpec,
    RoutingSpec,
    WorkerSpec,
    event_times,
    needs_of_lookups,
    table_columns,
)
from trivium.config.yaml.interpolate import variable
from trivium.contract.declaration import Declaration
from trivium.contract.lookup_settings import LookupSettings, RemoteLookupSettings
from trivium.core.errors import RunError
from trivium.core.suggest import one_of

_NO_SECRETS: Final[Mapping[str, str]] = {}
USERNAME: Final = "streaming.source.security.username"
"""The name under which the Kafka user travels beside the plan; no variable can have such a name."""


@dataclass(frozen=True, kw_only=True)
class BoundLookup(LookupSpec):
    """A lookup with its section of the pipeline file, whose path is resolved.

    `secrets` maps the variables that the section's secrets name to their values; `root` is the project's folder here.
    """

    config: LookupSettings
    root: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def settings(self) -> LookupSettings:
        """Return the section with the values of its secrets, and certificates and keys under absolute local paths.

        Raises:
            RunError: a secret did not reach this process.
        """
        section = filled(self.config, self.secrets, f"the lookup {self.name}")
        tls = getattr(section, "tls", None)
        if not isinstance(tls, Tls) or self.root is None:
            return section
        files = {name: str(self.root / file) for name in KAFKA_FILES if (file := getattr(tls, name)) is not None}
        return section.model_copy(update={"tls": tls.model_copy(update=files)})


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that compiled: its configuration is complete, consistent and resolved.

    `table_columns` are the author's columns of the shared table, without lineage columns and `event_date`.
    `secrets` maps names to values that only stand in the plan as references; they travel beside it, never in it.
    `listed` says of each event type which line of which file lists it; workers, which read no file, do not know it.
    `narrowed` says that `executors` are some of those that the file lists.
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
    narrowed: bool = False
    listed: Mapping[str, str] = field(default_factory=dict, compare=False)

    @cached_property
    def worker_spec(self) -> WorkerSpec:
        """The part of it that a worker takes."""
        config, routing = self.config, self.config.routing
        earliest, latest = event_times(config.event_time.earliest, config.event_time.latest)
        return WorkerSpec(
            name=self.name,
            executors=self.executors,
            lookups=self.lookups,
            routing=RoutingSpec(
                routing.field if routing.by_body else None, config.type_column, routing.unrouted, routing.tombstones
            ),
            table_columns=self.table_columns,
            logic=self.plan.logic_short,
            plan=self.plan.plan_short,
            earliest=earliest,
            latest=latest,
            purity=config.purity,
            secrets=self.secrets,
        )

    def owner(self, event_type: str) -> str:
        """Return who owns an event type; empty where the file does not say, or does not list the type."""
        return self._owners.get(event_type, "")

    @cached_property
    def _owners(self) -> dict[str, str]:
        return {entry.type: entry.owner or "" for entry in self.config.executors}

    def of_types(self, event_types: Collection[str]) -> Pipeline:
        """Return the pipeline with these of its event types only, and the lookups that they use.

        Raises:
            RunError: one is not among them; names those that are.
        """
        for name in event_types:
            if name not in self.executors:
                known = one_of(name, sorted(self.executors))
                raise RunError(f"expected event types of {self.config_file}, got {name!r}; {known}")
        executors = {name: bound for name, bound in self.executors.items() if name in event_types}
        used = {each.lookup for bound in executors.values() for each in bound.declaration.enrichments.values()}
        return replace(
            self,
            executors=executors,
            lookups={name: bound for name, bound in self.lookups.items() if name in used},
            table_columns=table_columns(bound.declaration for bound in executors.values()),
            narrowed=self.narrowed or len(executors) < len(self.executors),
        )

    def writing(self, table_columns: pa.Schema) -> Pipeline:
        """Return the pipeline with its columns in the types in which the table takes them."""
        return replace(self, table_columns=table_columns)

    def kafka_source(self) -> KafkaSource:
        """Return the streaming source as this process reads it: its certificates and keys are absolute local paths.

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
        """Return the SASL password, None where the source needs none.

        Raises:
            RunError: the pipeline has no streaming section, or the secret did not reach this process.
        """
        password = self.kafka_source().security.password
        return None if password is None else self._secret(variable(password.get_secret_value()) or "")

    def serving_section(self) -> Serving:
        """Return the serving section.

        Raises:
            RunError: the pipeline has none.
        """
        if self.config.serving is None:
            raise RunError(f"the pipeline {self.name} has no section serving; add serving: {{route: /{self.name}}}.")
        return self.config.serving

    def api_keys(self) -> tuple[str, ...]:
        """Return the API keys the file names by variables; those of `api_keys_file` are not among them.

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


def bind_lookups(
    config: PipelineConfig,
    declarations: Iterable[Declaration],
    secrets: Mapping[str, str] = _NO_SECRETS,
    root: Path | None = None,
) -> dict[str, BoundLookup]:
    """Return every lookup of `config` with what the enrichments ask of it, and those of the secrets that it names."""
    requested = needs_of_lookups(declarations)
    bound = {name: _bound(name, lookup, config, requested[name]) for name, lookup in config.lookups.items()}
    return {name: replace(each, secrets=_named(each.config, secrets), root=root) for name, each in bound.items()}


def _named(section: LookupSettings, secrets: Mapping[str, str]) -> dict[str, str]:
    return {name: secrets[name] for name in variables_of(section) if name in secrets}


def _bound(name: str, lookup: LookupSettings, config: PipelineConfig, needs: LookupNeeds) -> BoundLookup:
    return BoundLookup(
        name=name,
        **needs._asdict(),
        retry=lookup.retry or config.retry,
        unavailable=lookup.unavailable,
        calls=lookup if isinstance(lookup, RemoteLookupSettings) else RemoteLookupSettings(type=lookup.type),
        config=lookup,
    )
