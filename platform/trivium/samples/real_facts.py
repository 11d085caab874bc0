"""Facts as a pipeline's own lookups answer them, through the clients of its runtimes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np

from trivium.config.pipeline import Pipeline
from trivium.connectors import open_lookup
from trivium.core.clock import Clock, Deadline
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.clients import clients_of
from trivium.engine.lookups.fetch import Facts, Fetch, KeyState
from trivium.samples.facts import FactKey
from trivium.samples.stages import keys_of, known_answer

_PATIENCE_SECONDS: Final = 60.0


class RealLookups:
    """Lookups of a pipeline, opened for a while; a question waits a minute at most.

    Raises:
        TriviumError: one cannot be opened as declared.
    """

    def __init__(self, pipeline: Pipeline, names: Collection[str], clock: Clock) -> None:
        self._clock = clock
        specs = {name: pipeline.lookups[name] for name in names}
        opened = {name: open_lookup(bound, clock, pinned=True) for name, bound in specs.items()}
        self._clients = clients_of(specs, opened, clock)

    def __enter__(self) -> RealLookups:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def answer(self, questions: Sequence[KeyQuestion]) -> list[Facts]:
        """Answer the questions of one stage side by side; lookups that are not open know nothing.

        Raises:
            RunError: a lookup gave no usable answer.
        """
        limit = Deadline.after(self._clock, _PATIENCE_SECONDS)
        answers = [self._ask(each, limit) for each in questions]
        return [each.result() if isinstance(each, Future) else each for each in answers]

    def _ask(self, question: KeyQuestion, limit: Deadline) -> Facts | Future[Facts]:
        client = self._clients.get(question.step.lookup.name)
        if client is None or not len(question.keys):
            return known_answer(question, {})
        return client.ask(
            Fetch(question.step.lookup.name, question.keys, question.times, question.step.enrichment.hints), limit
        )


def unanswered(question: KeyQuestion, facts: Facts) -> list[FactKey]:
    """Return the keys for which the lookup stayed unavailable."""
    if facts.states is None:
        return []
    keys = keys_of(question)
    return [keys[place] for place in np.flatnonzero(facts.states == KeyState.UNAVAILABLE).tolist()]
