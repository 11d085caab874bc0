"""Clients of a pipeline's lookups, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import pyarrow as pa

from trivium.config.worker_spec import LookupSpec
from trivium.contract.errors import TransientError
from trivium.contract.lookup import Lookup, TimedLookup
from trivium.core.clock import Clock, Deadline
from trivium.core.error_text import raised, text_of
from trivium.core.errors import RunError
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState
from trivium.engine.retry import requested_wait


class DirectClient:
    """A client that calls its lookup in place."""

    def __init__(self, spec: LookupSpec, lookup: Lookup, clock: Clock) -> None:
        self.spec, self._lookup, self._clock = spec, lookup, clock

    def close(self) -> None:
        """Do nothing: there is nothing to end."""

    def ask(self, fetch: Fetch, limit: Deadline | None) -> Facts:
        """Return the facts."""
        policy = self.spec.retry
        deadline = Deadline.after(self._clock, policy.deadline_seconds).within(limit)
        delays = [*policy.delays(), None]
        for delay in delays:
            try:
                answer = (
                    self._lookup.fetch(fetch.keys, deadline)
                    if fetch.times is None
                    else cast(TimedLookup, self._lookup).fetch_as_of(fetch.keys, fetch.times, deadline)
                )
                return Facts(answer.rows, answer.index)
            except TransientError as error:
                wait = max(delay or 0.0, requested_wait(error))
                if delay is None or wait >= deadline.remaining():
                    return Facts(
                        pa.RecordBatch.from_pylist(
                            [], schema=pa.schema([pa.field(s.wire, s.type.arrow) for s in self.spec.columns])
                        ),
                        pa.nulls(len(fetch.keys), pa.int32()),
                        np.full(len(fetch.keys), KeyState.UNAVAILABLE, np.uint8),
                        text_of(error),
                    )
            except (RunError, MemoryError):
                raise
            except Exception as error:
                raise RunError(f"lookup {self.spec.name} gave no usable answer: {raised(error)}") from error
            self._clock.sleep(wait)
        raise AssertionError


def clients_of(specs: Mapping[str, LookupSpec], lookups: Mapping[str, Lookup], clock: Clock) -> dict[str, DirectClient]:
    """Return a client around each lookup."""
    return {name: DirectClient(spec, lookups[name], clock) for name, spec in specs.items()}
