"""An executor on a Ray cluster: batches to a few actors that each host a worker, outcomes back in order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util import ActorPool

from trivium.config.worker_spec import WorkerSpec, spec_of
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.contract.lookup import Lookup
from trivium.core.errors import RunError, TriviumError
from trivium.engine.batch import Batch
from trivium.engine.blocking import BlockingWorker
from trivium.notebook.data import Data
from trivium.notebook.result import PartialResult, part_of
from trivium.notebook.shipment import Shipment, packed
from trivium.runtimes.cluster import connected

MAX_ACTORS: Final = 8
MAX_BATCH_ROWS: Final = 65_536
_LOCAL_CPUS: Final = 2


class CellWorker:
    """An actor with one worker, made when the first batch comes, so that a failure comes back as an answer."""

    def __init__(self, shipment: Shipment) -> None:
        self._shipment = shipment

    def run(self, batch: Batch) -> PartialResult:
        """Return the outcomes of one batch."""
        return part_of(self._worker.run(batch), int(batch.positions[0]), self._spec.table_columns)

    @cached_property
    def _spec(self) -> WorkerSpec:
        executor = self._shipment.executor()
        options = executor.Options.model_validate(dict(self._shipment.options))
        event_type = executor.declaration.event_type
        return spec_of([executor], {event_type: options}).of_type(event_type)

    @cached_property
    def _worker(self) -> BlockingWorker:
        return BlockingWorker(self._spec, self._shipment.lookups)


def run(
    executor: type[Executor[Any, Any]],
    options: ExecutorOptions,
    lookups: Mapping[str, Lookup],
    data: Data,
    address: str,
) -> list[PartialResult]:
    """Return the outcomes of all batches, in the order of the data.

    Raises:
        InputError: the executor's source cannot travel.
        RunError: the cluster cannot run it.
    """
    shipment = packed(executor, options.model_dump(), lookups)
    with connected(address, _LOCAL_CPUS):
        try:
            return _run(ray.put(shipment), data)
        except RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            raise _refusal(cause) from error
        except RayError as error:
            raise _refusal(error) from error


def _run(shipment: Any, data: Data) -> list[PartialResult]:
    free = int(ray.available_resources().get("CPU", 1))
    # Two batches an actor: one slow batch does not leave the others idle for long.
    most = max(1, min(free, MAX_ACTORS))
    rows = max(1, min(MAX_BATCH_ROWS, -(-len(data) // (2 * most))))
    batches = list(data.batches(rows))
    remote = ray.remote(num_cpus=1, max_restarts=0)(CellWorker)
    actors = [remote.remote(shipment) for _ in range(min(most, len(batches)))]
    try:
        return list(ActorPool(actors).map(lambda actor, batch: actor.run.remote(batch), batches))
    finally:
        for actor in actors:
            ray.kill(actor)


def _refusal(error: BaseException) -> TriviumError:
    if isinstance(error, TriviumError):
        return error
    last = str(error).strip().splitlines()[-1:] or [""]
    text = f"the cluster could not run the executor: {type(error).__name__}: {last[0]}"
    if "ModuleNotFoundError" in f"{type(error).__name__} {error}":
        return RunError(
            f"{text}. Try: install it on the cluster, or ship it when connecting: "
            'ray.init(…, runtime_env={"py_modules": ["path/to/the/package"], "working_dir": "."})'
        )
    return RunError(text)
