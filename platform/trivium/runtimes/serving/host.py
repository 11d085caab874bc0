"""A replica's inside: the pipeline proven to be the planned one, its lookups, its worker, its API. It knows no Ray."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trivium.config.model.serving import Serving
from trivium.config.pipeline import Pipeline
from trivium.config.rebuild import rebuild
from trivium.connectors import open_lookup
from trivium.core.clock import Clock, SystemClock
from trivium.engine.lookups.clients import clients_of
from trivium.engine.requests.worker import RequestWorker
from trivium.engine.steps import FactClient
from trivium.runtimes.logs import bind
from trivium.runtimes.project_files import project_here
from trivium.runtimes.serving.http.admission import Admission
from trivium.runtimes.serving.http.answering import Answering, LoopAnswering
from trivium.runtimes.serving.http.api import Api
from trivium.runtimes.serving.http.asgi import ServingApp
from trivium.runtimes.serving.http.auth import Keys

BEAT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class ServeJob:
    """A replica's job: the plan, its secrets, and where the project was on the driver."""

    plan: bytes
    secrets: Mapping[str, str] = field(repr=False)
    root: str


class ServingHost:
    """One pipeline, ready to answer. Building it proves that this process runs what the driver planned.

    Raises:
        RunError: other code or other versions here than on the driver, or unusable API keys.
    """

    def __init__(self, job: ServeJob, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.pipeline = rebuild(job.plan, job.secrets, project_here(job.root))
        bind(pipeline=self.pipeline.name, plan=self.pipeline.plan.plan_short)
        self.section = self.pipeline.serving_section()
        lookups = {name: open_lookup(bound, self._clock) for name, bound in self.pipeline.lookups.items()}
        self.clients = clients_of(self.pipeline.worker_spec.lookups, lookups, self._clock)
        self.answering = answering_of(self.pipeline, self.clients, self._clock)
        keys = Keys(self.pipeline.api_keys(), _key_file(self.section), self._clock)
        self.api = Api(self.pipeline, self.answering, keys, self._clock)
        self.app = ServingApp(self.api, self.section, self._clock)
        gc.collect()
        gc.freeze()  # what is loaded by now stays; the collector need not walk through it again and again

    async def beat(self, export: Callable[[], None]) -> None:
        """Export counts until cancelled, and postpone the moment at which this process would be ended as hanging.

        That moment is kept by a thread of C code: an executor that holds the interpreter's lock, or this event loop,
        cannot keep it from ending the process, and the supervisor starts another. The traceback goes to the log only.
        """
        try:
            while True:
                export()
                patience = self.section.hung_after_seconds + BEAT_SECONDS
                faulthandler.dump_traceback_later(patience, exit=True, file=sys.stderr.fileno())
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Take no more requests."""
        self.api.ready = False
        self.answering.close()


def answering_of(pipeline: Pipeline, clients: Mapping[str, FactClient], clock: Clock) -> Answering:
    """Return what answers requests of a pipeline."""
    section, worker = pipeline.serving_section(), RequestWorker(pipeline.worker_spec, clock)
    admission = Admission(section, clock)
    return LoopAnswering(worker, clients, admission, section.max_events_per_request, clock)


def _key_file(section: Serving) -> Path | None:
    return None if section.api_keys_file is None else Path(section.api_keys_file)
