"""Questions of one moment to the lookups: what several enrichments and event types want is fetched once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from trivium.config.worker_spec import LookupSpec
from trivium.contract.enrichment import Hint
from trivium.core.errors import LookupOutage
from trivium.engine.enrichment.distinct import distinct
from trivium.engine.enrichment.enriched import Enriched
from trivium.engine.enrichment.step import EnrichmentStep
from trivium.engine.enrichment.wanted import BatchKeys, as_type
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState


@dataclass(frozen=True)
class KeyQuestion:
    """The keys of one enrichment and batch. `codes` says of each place which of the distinct keys it has."""

    step: EnrichmentStep
    wanted: BatchKeys
    keys: pa.Array
    times: pa.Array | None
    codes: pa.Int32Array

    @classmethod
    def of(cls, step: EnrichmentStep, wanted: BatchKeys) -> KeyQuestion:
        """Return the question of an enrichment."""
        values = as_type(wanted.values, step.lookup.key_type)
        return cls(step, wanted, *distinct(values, wanted.times))

    def enriched(self, facts: Facts | None) -> Enriched:
        """Return the answer aligned with the events."""
        return self.step.enriched(self.wanted, self.codes, facts)


class Questions:
    """The questions of one moment, and the fetches that answer them: one a lookup, its hints and with or without times.

    Enrichments of the same hints share a fetch; it has the distinct keys of all of them.
    """

    def __init__(self, questions: Sequence[KeyQuestion]) -> None:
        self._questions = list(questions)
        groups: dict[tuple[str, Hint, bool], list[int]] = {}
        for place, each in enumerate(self._questions):
            if len(each.keys):
                step = each.step
                groups.setdefault((step.lookup.name, step.enrichment.hints, each.times is not None), []).append(place)
        self._groups = list(groups.values())
        self.fetches = [self._fetch(key, places) for key, places in groups.items()]

    def answered(self, answers: Sequence[Facts]) -> list[Enriched]:
        """Return the answers to the questions, in their order; `answers` are those to the fetches.

        Raises:
            LookupOutage: a lookup stayed unavailable, and the pipeline says that nothing goes on without it.
        """
        found: list[Facts | None] = [None] * len(self._questions)
        for places, facts in zip(self._groups, answers, strict=True):
            _check_outage(self._questions[places[0]].step.lookup, facts)
            for place in places:
                found[place] = facts
        return [each.enriched(facts) for each, facts in zip(self._questions, found, strict=True)]

    def _fetch(self, group: tuple[str, Hint, bool], places: list[int]) -> Fetch:
        lookup, hints, _ = group
        first = self._questions[places[0]]
        if len(places) == 1:
            return Fetch(lookup, first.keys, first.times, hints)
        members = [self._questions[place] for place in places]
        times = [each.times for each in members if each.times is not None]
        keys, moments, codes = distinct(
            pa.concat_arrays([each.keys for each in members]), pa.concat_arrays(times) if times else None
        )
        start = 0
        for place, each in zip(places, members, strict=True):
            own = codes.slice(start, len(each.keys))
            self._questions[place] = replace(each, codes=own.take(each.codes))
            start += len(each.keys)
        return Fetch(lookup, keys, moments, hints)


def _check_outage(lookup: LookupSpec, facts: Facts) -> None:
    if lookup.unavailable == "missing" or facts.states is None or not (facts.states == KeyState.UNAVAILABLE).any():
        return
    message = (
        f"lookup {lookup.name} stayed unavailable: {facts.error}. Nothing was committed. "
        f"Try: repair it and run again, or set lookups.{lookup.name}.unavailable to missing"
    )
    raise LookupOutage(message)
