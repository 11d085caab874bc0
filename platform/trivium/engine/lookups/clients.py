"""Clients around the lookups of a pipeline, by name."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.config.worker_spec import LookupSpec
from trivium.contract.lookup import Lookup
from trivium.core.clock import Clock
from trivium.engine.lookups.budget import RetryBudget
from trivium.engine.lookups.client import LookupClient


def clients_of(specs: Mapping[str, LookupSpec], lookups: Mapping[str, Lookup], clock: Clock) -> dict[str, LookupClient]:
    """Return a client around each lookup, with one retry budget for all of them."""
    budget = RetryBudget()
    return {name: LookupClient(spec, lookups[name], clock, budget) for name, spec in specs.items()}
