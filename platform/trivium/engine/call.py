"""Calls of executors: accept, enrich and process the inputs of several event types, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from trivium.core.clock import Deadline
from trivium.core.interrupts import Interrupts
from trivium.engine.enrichment.questions import Questions
from trivium.engine.inputs import Inputs
from trivium.engine.steps import Steps
from trivium.engine.type_worker import Invocation, TypeWorker

Given: TypeAlias = Sequence[tuple[TypeWorker, Inputs]]
Finish: TypeAlias = Callable[[list[Invocation]], None]


def call(given: Given, limit: Deadline | None, interrupts: Interrupts, finish: Finish) -> Steps[None]:
    """Take inputs through their executors, one call a lookup for all of them at each stage; then `finish` them.

    Nothing waits beyond `limit`, or beyond what the policies say.

    Raises:
        RunError: a lookup stayed unavailable and the pipeline says that this fails the run.
    """
    enriched = [worker for worker, _ in given if worker.stages]
    with interrupts:  # once for all types: to watch the handlers costs more than a handful of events
        called = [worker.begin(inputs) for worker, inputs in given]
        if not enriched and not _process(given, called):
            finish(called)
            return
    if enriched:
        yield from _enrich([(worker, each) for (worker, _), each in zip(given, called, strict=True) if worker.stages])
        with interrupts:
            if not _process(given, called):
                finish(called)
                return
    for (worker, _), each in zip(given, called, strict=True):
        if each.failures:
            yield from worker.retry(each, limit)
    with interrupts:
        finish(called)


def _process(given: Given, called: Sequence[Invocation]) -> bool:
    """Ask all executors once; return whether one has failed on something."""
    failed = False
    for (worker, _), each in zip(given, called, strict=True):
        worker.process(each)
        failed = failed or bool(each.failures)
    return failed


def _enrich(waiting: Sequence[tuple[TypeWorker, Invocation]]) -> Steps[None]:
    stage = 0
    while waiting:
        by_type = [worker.questions(stage, called) for worker, called in waiting]
        questions = Questions([each for some in by_type for each in some])
        answers = (yield questions.fetches) if questions.fetches else []
        assert answers is not None
        found = iter(questions.answered(answers))
        for (worker, called), some in zip(waiting, by_type, strict=True):
            worker.receive(stage, called, [next(found) for _ in some])
        stage += 1
        waiting = [(worker, called) for worker, called in waiting if len(worker.stages) > stage]
