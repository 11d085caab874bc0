"""The pipeline as a Ray Serve application: one ingress deployment whose replicas host the ASGI application."""

from __future__ import annotations

import asyncio
from typing import Final

from ray import serve

from trivium.config.pipeline import Pipeline
from trivium.engine import metrics
from trivium.runtimes.logs import log_json_lines
from trivium.runtimes.lookup_meters import LookupExporter, LookupMeters
from trivium.runtimes.meters import Meters
from trivium.runtimes.serving.counts import type_name
from trivium.runtimes.serving.host import ServeJob, ServingHost
from trivium.runtimes.serving.http.asgi import ServingApp

_HEALTH_PERIOD: Final = 2.0
_HEALTH_TIMEOUT: Final = 10.0
_ATTEMPTS: Final = 3
_NO_LIMIT: Final = 1_000_000


class EventsIngress:
    """A replica. Serve mounts what `__serve_build_asgi_app__` gives, and asks `check_health` from time to time."""

    def __init__(self, job: ServeJob) -> None:
        log_json_lines()
        self._host = ServingHost(job)
        replica = str(serve.get_replica_context().replica_id.unique_id)
        self._exporter = _Exporter(self._host, replica)
        meters = LookupMeters(self._host.pipeline, lambda: [self._host.clients], "serving", replica)
        self._lookups = LookupExporter(meters)
        self._beat = asyncio.create_task(self._host.beat(self._exporter.export))

    def __serve_build_asgi_app__(self) -> ServingApp:
        return self._host.app

    def check_health(self) -> None:
        """Do nothing: it is called on the loop that answers, and where that hangs Serve's own time-out ends it."""

    def __del__(self) -> None:
        if hasattr(self, "_beat"):
            self._beat.cancel()
            self._exporter.export()
            self._lookups.close()
            self._host.close()


def application(pipeline: Pipeline, replicas: int | None = None) -> serve.Application:
    """Make the application of a pipeline with a serving section; `replicas` instead of the file's.

    Raises:
        RunError: the pipeline has no serving section.
    """
    section = pipeline.serving_section()
    job = ServeJob(pipeline.plan.json, dict(pipeline.secrets), str(pipeline.root))
    deployment = serve.deployment(
        serve.ingress()(EventsIngress),
        name="events",
        num_replicas=replicas or section.replicas,
        # A replica refuses by itself, once a body is there. To Serve a request counts from its headers on, so a limit
        # of Serve's would let those that send slowly keep out all others, and health checks with them.
        max_ongoing_requests=_NO_LIMIT,
        max_queued_requests=-1,
        graceful_shutdown_timeout_s=section.drain_seconds,
        graceful_shutdown_wait_loop_s=0.1,
        health_check_period_s=_HEALTH_PERIOD,
        health_check_timeout_s=_HEALTH_TIMEOUT,
        max_constructor_retry_count=_ATTEMPTS,
        max_surge_percent=100,  # a redeploy starts the new replicas first, so it needs room for as many again
        logging_config={"enable_access_log": False, "encoding": "JSON"},
        # No runtime_env: one of the deployment's own would hide the application's.
        ray_actor_options={"num_cpus": 1},
    )
    bound: serve.Application = deployment.bind(job)
    return bound


class _Exporter:
    """Brings a replica's counts to the meters."""

    def __init__(self, host: ServingHost, replica: str) -> None:
        self._host, self._owner = host, host.pipeline.owner
        self._meters = Meters(host.pipeline, metrics.SERVING_CATALOGUE, replica=replica)

    def export(self) -> None:
        """Bring the meters up to date."""
        counts, meters = self._host.api.counts, self._meters
        for status, total in list(counts.requests.items()):
            meters.raise_to(metrics.REQUESTS, total, status=str(int(status)))
        for (event_type, outcome), total in list(counts.events.items()):
            tags = self._type_tags(event_type)
            meters.raise_to(metrics.EVENTS_ANSWERED, total, **tags, outcome=outcome)
        for event_type, total in list(counts.rows.items()):
            meters.raise_to(metrics.ROWS_ANSWERED, total, **self._type_tags(event_type))
        for seconds in counts.take_seconds():
            meters.observe(metrics.REQUEST_SECONDS, seconds)
        meters.set(metrics.REQUESTS_ONGOING, self._host.app.ongoing)

    def _type_tags(self, event_type: str | None) -> dict[str, str]:
        name = type_name(event_type)
        return {"event_type": name, "owner": self._owner(name)}
