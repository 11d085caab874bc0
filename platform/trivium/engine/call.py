"""Calls of executors: accept, enrich and process the inputs of several event types, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from trivium.core.clock import Deadline
from trivium.core.interrupts import Interrupts
from trivium.engine.enrichment.questions import Questions
from trivium.engine.inputs import Inputs
from trivium.engine.steps import Steps
from trivium.engine.type_worker import Invocation, TypeWorker

Given: TypeAlias = Sequence[tuple[TypeWorker, Inputs]]


def call(given: Given, limit: Deadline | None, interrupts: Interrupts) -> Steps[list[Invocation]]:
    """Take inputs through their executors, one call a lookup for all of them at each stage.

    Nothing waits beyond `limit`, or beyond what the policies say.

    Raises:
        RunError: a lookup stayed unavailable and the pipeline says that this fails the run.
    """
    with interrupts:  # once for all types: to watch the handlers costs more than a handful of events
        called = [worker.begin(inputs) for worker, inputs in given]
        for (worker, _), each in zip(given, called, strict=True):
            if not worker.stages:
                worker.process(each)
    stage, enriched = 0, [(worker, each) for (worker, _), each in zip(given, called, strict=True) if worker.stages]
    while waiting := [(worker, each) for worker, each in enriched if len(worker.stages) > stage]:
        yield from _enrich(waiting, stage)
        stage += 1
    if enriched:
        with interrupts:
            for worker, each in enriched:
                worker.process(each)
    for (worker, _), each in zip(given, called, strict=True):
        if each.failures:
            yield from worker.retry(each, limit)
    return called


def _enrich(waiting: Sequence[tuple[TypeWorker, Invocation]], stage: int) -> Steps[None]:
    by_type = [worker.questions(stage, called) for worker, called in waiting]
    questions = Questions([each for some in by_type for each in some])
    answers = (yield questions.fetches) if questions.fetches else []
    assert answers is not None
    found = iter(questions.answered(answers))
    for (worker, called), some in zip(waiting, by_type, strict=True):
        worker.receive(stage, called, [next(found) for _ in some])
