"""Clients around the lookups of a pipeline, by name."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.config.worker_spec import LookupSpec
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.client import LookupClient
from trivium.engine.lookups.usage import LookupUse


def clients_of(specs: Mapping[str, LookupSpec], lookups: Mapping[str, Lookup], clock: Clock) -> dict[str, LookupClient]:
    """Return a client around each lookup, with one retry budget for all of them."""
    budget = RetryBudget()
    return {name: LookupClient(spec, lookups[name], clock, budget) for name, spec in specs.items()}


def taken_use(clients: Mapping[str, LookupClient]) -> dict[str, LookupUse]:
    """Return the use of each lookup since the last call of this; one that nobody used is left out."""
    uses = {name: client.take_use() for name, client in clients.items()}
    return {name: use for name, use in uses.items() if use is not None}
