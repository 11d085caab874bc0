"""Questions of enrichments, stage by stage as the worker has them, for whoever knows the facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trivium.core.clock import Deadline, SystemClock
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.fetch import Facts as LookupFacts
from trivium.engine.type_worker import TypeWorker
from trivium.samples.facts import FactKey, Facts, SampleLookup, fact_keys

Answering = Callable[[Sequence[KeyQuestion]], Sequence[LookupFacts]]


def ask_stages(worker: TypeWorker, events: Sequence[Any], answer: Answering) -> None:
    """Ask for the facts of events: `answer` is called once a stage, with the questions of that stage.

    An event that its executor does not accept, or that is out for want of a fact, has no further questions.
    """
    called = worker.begin(worker.inputs_from_structs(np.arange(len(events)), events))
    for stage in range(len(worker.stages)):
        questions = worker.questions(stage, called)
        answers = answer(questions) if questions else []
        enriched = [
            each.enriched(facts if len(each.keys) else None) for each, facts in zip(questions, answers, strict=True)
        ]
        worker.receive(stage, called, enriched)


def keys_of(question: KeyQuestion) -> list[FactKey]:
    """Return the distinct keys of a question."""
    return fact_keys(question.step.lookup.name, question.keys, question.times)


def known_answer(question: KeyQuestion, facts: Facts) -> LookupFacts:
    """Return what facts answer to a question."""
    lookup = SampleLookup(question.step.lookup)
    lookup.tell({key: row for key in keys_of(question) if (row := facts.get(key)) is not None})
    deadline = Deadline.after(SystemClock(), 0.0)  # it answers from memory
    if question.times is None:
        answer = lookup.fetch(question.keys, deadline)
    else:
        answer = lookup.fetch_as_of(question.keys, question.times, deadline)
    return LookupFacts(answer.rows, answer.index)
