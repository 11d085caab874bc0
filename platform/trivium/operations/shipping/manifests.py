"""Kubernetes manifests of a pipeline for KubeRay: a RayJob for batch and streams, a RayCronJob, a RayService."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from trivium.config.pipeline import Pipeline
from trivium.operations.errors import ArgumentError
from trivium.operations.shipping.pods import Pods, cluster
from trivium.operations.shipping.service import Code, service_config
from trivium.operations.shipping.submission import STOP_WAIT, stop_seconds

_API: Final = "ray.io/v1"
_LONGEST: Final = 47
_LONGEST_CRON: Final = 36
_BATCH_TRIES: Final = 2
_STREAM_TRIES: Final = 10_000
_KEPT_SECONDS: Final = 3600
_LATE_SECONDS: Final = 120


@dataclass(frozen=True)
class Shipping:
    """Settings of manifests.

    `image` holds trivium and, at `project`, the project. `variables` maps the variables of the pipeline file to values
    that anyone may read; the others come from the Kubernetes secret `secret`. `cpus` and `memory` are those of a pod.
    """

    image: str
    variables: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    project: str = "/srv/project"
    cpus: int = 2
    memory: str = "4Gi"
    schedule: str | None = None
    time_zone: str = "Etc/UTC"


def manifests(pipeline: Pipeline, named: Mapping[str, str | None], settings: Shipping) -> dict[str, dict[str, Any]]:
    """Return the manifests of the runtimes that the file has, by file name; `named` are its variables' defaults.

    Raises:
        ArgumentError: the pipeline's name makes no name of Kubernetes, or a schedule is given for no batch.
    """
    config = pipeline.config
    if settings.schedule and config.batch is None:
        raise ArgumentError(f"expected the section batch in {pipeline.config_file} for a schedule, got none")
    renderer = _Renderer(pipeline, named, settings)
    found = {}
    if config.batch is not None:
        name = "batch.cronjob.yaml" if settings.schedule else "batch.job.yaml"
        found[name] = renderer.schedule(settings.schedule) if settings.schedule else renderer.batch()
    if config.streaming is not None:
        found["streaming.job.yaml"] = renderer.streaming()
    if config.serving is not None:
        found["serving.service.yaml"] = renderer.serving()
    return found


def as_yaml(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as a file, every part written out where it stands."""
    return yaml.dump(dict(manifest), Dumper=_WrittenOut, sort_keys=False)


class _WrittenOut(yaml.SafeDumper):
    """A writer without anchors: people compare and change these files."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say so of everything."""
        return True


class _Renderer:
    """One pipeline's manifests."""

    def __init__(self, pipeline: Pipeline, named: Mapping[str, str | None], settings: Shipping) -> None:
        self._pipeline, self._settings = pipeline, settings
        self._name = re.sub(r"[^a-z0-9]+", "-", pipeline.name.lower()).strip("-")
        self._environment = [_variable(name, default, settings, self._name) for name, default in named.items()]
        self._config = str(PurePosixPath(settings.project) / pipeline.config_file)

    def batch(self) -> dict[str, Any]:
        return self._manifest("RayJob", "batch", self._batch())

    def schedule(self, schedule: str) -> dict[str, Any]:
        spec = {"schedule": schedule, "timeZone": self._settings.time_zone, "jobTemplate": self._batch()}
        return self._manifest("RayCronJob", "batch", spec, _LONGEST_CRON)

    def streaming(self) -> dict[str, Any]:
        """Return a job that is begun again whenever it fails.

        Who deletes it has KubeRay stop the job and end the pods at once: they linger while the stream drains. It is not
        stopped by its own pods, as when a node is emptied: a job that was stopped is done and is not begun again.
        """
        streaming = self._pipeline.config.streaming
        drain = streaming.drain_seconds if streaming else 0.0
        pods = Pods(
            **self._pods(streaming.workers if streaming else 1),
            linger_seconds=math.ceil(drain),
            grace_seconds=stop_seconds(drain),
        )
        spec = {
            "entrypoint": f"trivium run streaming {self._config}",
            "backoffLimit": _STREAM_TRIES,
            "runtimeEnvYAML": _runtime_env({STOP_WAIT: str(stop_seconds(drain))}),
            **_job(pods),
        }
        return self._manifest("RayJob", "streaming", spec)

    def serving(self) -> dict[str, Any]:
        section = self._pipeline.serving_section()
        # A redeploy starts as many replicas again before the old ones drain.
        pods = Pods(
            **self._pods(2 * section.replicas), serves=True, grace_seconds=math.ceil(section.drain_seconds) + 30
        )
        config = service_config(self._pipeline, self._config, Code())
        spec = {
            "serveConfigV2": yaml.safe_dump(config, sort_keys=False),
            "excludeHeadPodFromServeSvc": True,
            "rayClusterDeletionDelaySeconds": _LATE_SECONDS,
            "rayClusterConfig": cluster(pods),
        }
        return self._manifest("RayService", "serving", spec)

    def _batch(self) -> dict[str, Any]:
        batch = self._pipeline.config.batch
        pods = Pods(**self._pods(batch.workers if batch else 1))
        return {
            "entrypoint": f"trivium run batch {self._config}",
            "backoffLimit": _BATCH_TRIES,
            "runtimeEnvYAML": _runtime_env({}),
            **_job(pods),
        }

    def _pods(self, workers: int) -> dict[str, Any]:
        settings = self._settings
        return {
            "image": settings.image,
            "environment": self._environment,
            "cpus": settings.cpus,
            "memory": settings.memory,
            "replicas": math.ceil(workers / settings.cpus),
        }

    def _manifest(self, kind: str, runtime: str, spec: dict[str, Any], longest: int = _LONGEST) -> dict[str, Any]:
        labels = {"app.kubernetes.io/managed-by": "trivium", "app.kubernetes.io/name": self._name}
        metadata = {"name": self._named(runtime, longest), "labels": labels}
        return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}

    def _named(self, runtime: str, longest: int) -> str:
        name = f"{self._name}-{runtime}"
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or len(name) > longest:
            expected = f"a pipeline whose name makes a name of Kubernetes of at most {longest} characters"
            raise ArgumentError(f"expected {expected}, got {name!r} from {self._pipeline.name!r}. Try: a shorter name")
        return name


def _job(pods: Pods) -> dict[str, Any]:
    return {
        "submissionMode": "K8sJobMode",
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "rayClusterSpec": cluster(pods),
    }


def _runtime_env(variables: Mapping[str, str]) -> str:
    return yaml.safe_dump({"env_vars": {"MIMALLOC_PURGE_DELAY": "10000", **variables}})


def _variable(name: str, default: str | None, settings: Shipping, pipeline: str) -> dict[str, Any]:
    """Return a variable of a container: a value that is given, else a key of the secret, which may lack a default's."""
    if name in settings.variables:
        return {"name": name, "value": settings.variables[name]}
    reference: dict[str, Any] = {"name": settings.secret or f"{pipeline}-variables", "key": name}
    if default is not None:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
