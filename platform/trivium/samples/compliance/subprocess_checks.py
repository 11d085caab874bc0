"""Asks executors in fresh processes of two worlds, and finds what of a world a different answer comes from."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trivium.core.errors import TriviumError
from trivium.samples.compliance.breach import Breach, same, shown_apart
from trivium.samples.compliance.comparisons import breach
from trivium.samples.compliance.environment import CAUSES, HERE, THERE, World, with_one_of
from trivium.samples.compliance.subject import Subject
from trivium.samples.file import Outcome
from trivium.samples.harness import Case

_PATIENCE_SECONDS: Final = 120.0
_CHECK: Final = "another process, clock, time zone, locale, environment and hash seed"
_UNDER_ONE: Final = "randomness, or the identity of a process: two processes alike in everything disagree"
_TOGETHER: Final = "several things of its surroundings together, none of them alone"


@dataclass(frozen=True)
class Question:
    """Groups of cases for an executor. `subject` is pickled by itself: it needs the executor's module."""

    module: str
    file: str
    qualname: str
    subject: bytes
    groups: tuple[tuple[Case, ...], ...]


@dataclass(frozen=True)
class Errand:
    """The task of one process, and the path of its modules."""

    world: World
    path: tuple[str, ...]
    questions: tuple[Question, ...]


Answer = list[Outcome] | str
"""The outcomes of all groups in one list, or why there are none."""


class ProcessError(TriviumError):
    """A process of another world ended without an answer."""


def question(subject: Subject, groups: Sequence[Sequence[Case]]) -> Question:
    """Return what to ask about a subject."""
    parts = (subject.event_type, subject.options, dict(subject.artifacts), subject.routing)
    cls = subject.cls
    written = tuple(tuple(group) for group in groups)
    return Question(cls.__module__, str(subject.file), cls.__qualname__, pickle.dumps(parts), written)


def compare_worlds(subjects: Sequence[tuple[Subject, Sequence[Sequence[Case]]]]) -> list[tuple[Subject, Breach]]:
    """Return what executors answer otherwise in another world; at most one breach an executor.

    Raises:
        ProcessError: a process ended without an answer.
    """
    if not subjects:
        return []
    questions = [question(subject, groups) for subject, groups in subjects]
    here, there = _in_worlds(questions, (HERE, THERE))
    found = []
    for (subject, groups), question_, *answers in zip(subjects, questions, here, there, strict=True):
        cases = [case for group in groups for case in group]
        for case, place, both in _first_difference(cases, answers):
            found.append((subject, breach(subject, _CHECK, case, both, _cause(question_, place))))
    return found


def _first_difference(
    cases: Sequence[Case], answers: Sequence[Answer]
) -> Iterator[tuple[Case | None, int, tuple[tuple[str, str], ...]]]:
    one, other = answers
    if isinstance(one, str) or isinstance(other, str):
        failed = [(name, each) for name, each in (("here", one), ("elsewhere", other)) if isinstance(each, str)]
        yield None, -1, tuple(failed)
        return
    for place, (case, left, right) in enumerate(zip(cases, one, other, strict=True)):
        if not same(left, right):
            here, there = shown_apart(left, right)
            yield case, place, (("here", here), ("elsewhere", there))
            return


def _cause(question_: Question, place: int) -> str:
    """Return which of a world's things makes the difference, tried one by one."""
    if place < 0:
        return "its module or open() fails in a process with another environment"
    worlds = (HERE, HERE, *(with_one_of(name) for name in CAUSES))
    alike, again, *others = (each[0] for each in _in_worlds([question_], worlds))
    if isinstance(alike, str) or isinstance(again, str) or not same(alike[place], again[place]):
        return _UNDER_ONE
    causes = [
        CAUSES[name]
        for name, other in zip(CAUSES, others, strict=True)
        if isinstance(other, str) or not same(alike[place], other[place])
    ]
    return "; ".join(causes) or _TOGETHER


def _in_worlds(questions: Sequence[Question], worlds: Sequence[World]) -> list[list[Answer]]:
    path = tuple(os.path.abspath(each) for each in sys.path)
    errands = [Errand(world, path, tuple(questions)) for world in worlds]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(_run, errands))


def _run(errand: Errand) -> list[Answer]:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / errand.world.folder
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "trivium.samples.compliance.subprocess_entry"],
            input=pickle.dumps(errand), capture_output=True, cwd=folder, env=errand.world.environment(),
            timeout=_PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    if done.returncode:
        last = done.stderr.decode("utf-8", "backslashreplace").strip()[-2000:]
        raise ProcessError(f"a process that should answer for executors ended with {done.returncode}:\n{last}")
    answers: list[Answer] = pickle.loads(done.stdout)
    return answers
