"""Pods of a Ray cluster under KubeRay: a head that runs drivers only, and a group of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

_AGENT_PORT: Final = 52365
_SERVE_PORT: Final = 8000
_HEAD_PORTS: Final = {"gcs-server": 6379, "dashboard": 8265, "client": 10001}
_NODE_HEALTH: Final = "/api/healthz"
_SERVE_HEALTH: Final = "/-/healthz"


@dataclass(frozen=True)
class Pods:
    """The pods of a cluster: `replicas` workers of `cpus` CPUs and `memory`, and a head of the same size.

    A pod that is to end goes on for `linger_seconds` first, all within `grace_seconds`. `serves` says that the workers
    answer requests.
    """

    image: str
    cpus: int
    memory: str
    replicas: int
    environment: Sequence[dict[str, Any]] = ()
    linger_seconds: int = 0
    grace_seconds: int = 30
    serves: bool = False


def cluster(pods: Pods) -> dict[str, Any]:
    """Return the specification of the cluster; no worker of a runtime runs on its head."""
    return {
        "rayVersion": version("ray"),
        "headGroupSpec": {
            "rayStartParams": {"dashboard-host": "0.0.0.0", "num-cpus": "0"},
            "template": _template(pods, "ray-head", _HEAD_PORTS),
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "replicas": pods.replicas,
                "minReplicas": pods.replicas,
                "maxReplicas": pods.replicas,
                "rayStartParams": {},
                "template": _template(pods, "ray-worker", {"serve": _SERVE_PORT} if pods.serves else {}),
            }
        ],
    }


def _template(pods: Pods, name: str, ports: dict[str, int]) -> dict[str, Any]:
    size = {"cpu": str(pods.cpus), "memory": pods.memory}
    environment = list(pods.environment)
    if pods.serves:
        environment.append({"name": "RAY_SERVE_ENABLE_HA_PROXY", "value": "1"})
    container: dict[str, Any] = {
        "name": name,
        "image": pods.image,
        "env": environment,
        "resources": {"requests": size, "limits": size},
        "livenessProbe": _probe(_NODE_HEALTH, _AGENT_PORT, failures=12),
        "readinessProbe": _readiness(pods, name),
    }
    if ports:
        container["ports"] = [{"name": each, "containerPort": port} for each, port in ports.items()]
    if pods.linger_seconds:
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(pods.linger_seconds)]}}}
    return {"spec": {"terminationGracePeriodSeconds": pods.grace_seconds, "containers": [container]}}


def _readiness(pods: Pods, name: str) -> dict[str, Any]:
    """Return the probe of KubeRay, by HTTP: its own for workers that serve calls wget, which a small image lacks."""
    if pods.serves and name == "ray-worker":
        return _probe(_SERVE_HEALTH, _SERVE_PORT, failures=1)
    return _probe(_NODE_HEALTH, _AGENT_PORT, failures=10)


def _probe(path: str, port: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "initialDelaySeconds": 10,
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
