"""Ways in which each runtime fetches facts: what the hints of an enrichment and its lookup's settings come to."""

from __future__ import annotations

from trivium.config.pipeline import BoundLookup, Pipeline
from trivium.connectors import answers_from_memory
from trivium.contract.enrichment import Hint
from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.runtimes.in_flight import MOST_ASIDE, MOST_ASIDE_OF_SLOW

RUNTIMES = ("batch", "streaming", "serving")
_IN_MEMORY = "answered in place from memory, refreshed beside the path; hints change nothing"


def ways_of(pipeline: Pipeline, bound: BoundLookup) -> dict[str, dict[str, str]]:
    """Return, by the hints that enrichments of a lookup declare, how each runtime fetches their facts."""
    if answers_from_memory(bound):
        return {"any": dict.fromkeys(RUNTIMES, _IN_MEMORY)}
    declared = {
        enrichment.hints
        for executor in pipeline.executors.values()
        for enrichment in executor.declaration.enrichments.values()
        if enrichment.lookup == bound.name
    }
    return {name_of(hints): _ways(hints, bound.calls) for hints in sorted(declared, key=lambda each: each.value)}


def name_of(hints: Hint) -> str:
    """Return hints as they are declared, such as `ASYNC | CACHEABLE`; `no hints` for none."""
    return " | ".join(each.name or "" for each in hints) or "no hints"


def _ways(hints: Hint, calls: RemoteLookupSettings) -> dict[str, str]:
    most = f"up to {calls.concurrency} calls at a time" if hints & Hint.ASYNC else "one call at a time"
    keys = f"of up to {calls.max_keys:,} keys"
    return {
        "batch": f"{most} {keys}; {_aside(hints, 'slices of a unit')}; {_kept(hints, calls, 'a slice')}",
        "streaming": f"{most} {keys}; {_aside(hints, 'batches')}; {_kept(hints, calls, 'a batch')}",
        "serving": f"{most} {keys}; requests wait side by side; {_kept(hints, calls, 'a request')}",
    }


def _aside(hints: Hint, what: str) -> str:
    if not hints & (Hint.ASYNC | Hint.SLOW):
        return f"{what} wait in place"
    return f"up to {MOST_ASIDE_OF_SLOW if hints & Hint.SLOW else MOST_ASIDE} {what} on their way"


def _kept(hints: Hint, calls: RemoteLookupSettings, what: str) -> str:
    if not hints & Hint.CACHEABLE:
        return f"nothing kept beyond {what}"
    cache = calls.cache
    return f"rows kept {cache.seconds:g} s, absence {cache.absent_seconds:g} s, in {cache.max_bytes >> 20} MiB"
