"""A serving run on one machine: a cluster and a proxy of its own for as long as it lasts, or a place in another.

SIGTERM and Ctrl-C drain: the proxy takes no more requests, those under way are answered, then all ends.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trivium.config.pipeline import Pipeline
from trivium.core.clock import Clock, SystemClock
from trivium.core.environment import variables
from trivium.core.errors import RunError
from trivium.core.network import LOOPBACK, free_port, is_loopback, is_taken
from trivium.runtimes.logs import bind
from trivium.runtimes.serving.proxy.haproxy import Proxy, end_killed_runs, proxy_environment
from trivium.runtimes.stopping import StopRequest, stop_on_signals

_WAIT_SECONDS: Final = 0.2
_PORTS: Final = range(30_000, 32_000)  # above the blocks that HAProxy's replicas take
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServingArguments:
    """Settings of one run beside the pipeline file. `port` 0: any that is free.

    With `address` the service becomes part of that cluster, or takes the place of the one of its name there, and stays
    when the command ends; the cluster's own proxies are in front of it then.
    """

    host: str = LOOPBACK
    port: int = 8000
    proxy: Proxy = "haproxy"
    replicas: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Service:
    """A service that answers. `cluster` is the address other drivers, such as a redeploy's, reach it by."""

    url: str
    cluster: str
    protected: bool


def run_serving(
    pipeline: Pipeline,
    arguments: ServingArguments | None = None,
    tell: Callable[[Service], None] = lambda _service: None,
    clock: Clock | None = None,
) -> None:
    """Serve a pipeline until a stop is requested; `tell` is called once it answers.

    Raises:
        TriviumError: it cannot start; the message says why and what to do.
    """
    arguments, clock = arguments or ServingArguments(), clock or SystemClock()
    bind(pipeline=pipeline.name, plan=pipeline.plan.plan_short)
    section = pipeline.serving_section()
    _check_exposure(section.protected, arguments.host)
    address = arguments.address or os.environ.get("RAY_ADDRESS")
    if address is not None:
        tell(_join(pipeline, arguments, address))
        return
    end_killed_runs()
    if arguments.port and is_taken(arguments.port, arguments.host):
        message = f"port {arguments.port} of {arguments.host} is in use"
        raise RunError(f"{message}. Try: another --port, or 0 for any that is free")
    # The cluster's processes inherit the variables, and Serve reads them when it is imported.
    with proxy_environment(arguments.proxy, section, arguments.host) as environment, variables(environment):
        _host(pipeline, arguments, tell, clock)


def _host(pipeline: Pipeline, arguments: ServingArguments, tell: Callable[[Service], None], clock: Clock) -> None:
    """Start a cluster with room for twice the replicas: a redeploy starts the new ones before the old ones stop."""
    from trivium.runtimes.cluster import StoppedAtStart, connected

    try:
        with connected(None, 2 * _replicas(pipeline, arguments)), stop_on_signals() as stop:
            _serve(pipeline, arguments, tell, lambda: _wait(stop, clock))
    except StoppedAtStart as stopped:
        _log.warning("%s", stopped)


def _wait(stop: StopRequest, clock: Clock) -> None:
    while not stop.requested:
        clock.sleep(_WAIT_SECONDS)


def _serve(
    pipeline: Pipeline, arguments: ServingArguments, tell: Callable[[Service], None], until_stopped: Callable[[], None]
) -> None:
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    port = arguments.port or free_port(arguments.host, _PORTS)
    # Behind HAProxy, which listens on the host itself, replicas are for it alone to reach.
    host = arguments.host if arguments.proxy == "plain" else LOOPBACK
    serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port, **_idle(pipeline, arguments)})
    try:
        tell(_deploy(pipeline, arguments, f"http://{_in_url(arguments.host)}:{port}"))
        until_stopped()
        serve.delete(pipeline.name)  # drains; a shutdown alone ends the proxy with what it still carries
    finally:
        serve.shutdown()


def _idle(pipeline: Pipeline, arguments: ServingArguments) -> dict[str, int]:
    """Return how long Serve's own proxy keeps a connection without a request; HAProxy's replicas leave that to it."""
    seconds = math.ceil(pipeline.serving_section().idle_seconds)
    return {"keep_alive_timeout_s": seconds} if arguments.proxy == "plain" else {}


def _join(pipeline: Pipeline, arguments: ServingArguments, address: str) -> Service:
    """Be part of a cluster that outlives this command."""
    from trivium.runtimes.cluster import connected

    with connected(address, 1):
        from ray import serve

        serve.start(http_options={"host": arguments.host, "port": arguments.port})
        return _deploy(pipeline, arguments, _proxy_url())


def _deploy(pipeline: Pipeline, arguments: ServingArguments, url: str) -> Service:
    import ray
    from ray import serve
    from ray.exceptions import RayError

    from trivium.runtimes.serving.deployment import application

    section = pipeline.serving_section()
    try:
        serve.run(application(pipeline, arguments.replicas), name=pipeline.name, route_prefix=section.route)
    except (RuntimeError, RayError) as error:
        raise RunError(_why(pipeline.name, error)) from error
    cluster = str(ray.get_runtime_context().gcs_address)
    return Service(url + section.route.rstrip("/"), cluster, section.protected)


def _why(name: str, error: Exception) -> str:
    """Return why a service does not start, in the words of the replica that failed, or of the proxy."""
    from ray import serve

    application: Any = serve.status().applications.get(name)
    messages = [each.message for each in application.deployments.values()] if application else []
    lines = [line.strip() for message in messages for line in message.splitlines() if "RunError: " in line]
    if lines:
        return f"no replica of {name} starts: {lines[-1].partition('RunError: ')[2]}"
    last = [line.strip() for line in str(error).splitlines() if line.strip()][-1:]
    return f"{name} does not start: {''.join(last)}. Try: again; the logs of Ray Serve have the rest"


def _proxy_url() -> str:
    from ray.serve.context import _get_global_client

    options: Any = _get_global_client().http_config
    return f"http://{_in_url(options.host)}:{options.port}"


def _replicas(pipeline: Pipeline, arguments: ServingArguments) -> int:
    return arguments.replicas or pipeline.serving_section().replicas


def _check_exposure(protected: bool, host: str) -> None:
    if protected or is_loopback(host):
        return
    _log.warning(
        "anybody who reaches %s is answered: the pipeline names no API keys. Try: serving.api_keys or api_keys_file",
        host,
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
