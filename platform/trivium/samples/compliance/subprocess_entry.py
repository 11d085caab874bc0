"""The process that answers an errand: in its world, with nothing of the project imported before."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import sys
import traceback
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from trivium.samples.compliance.subject import Subject
from trivium.samples.compliance.subprocess_checks import Answer, Errand, Question


def main() -> None:
    """Read an errand from standard input, write the answers to standard output, whatever executors print."""
    answers_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    errand: Errand = pickle.load(sys.stdin.buffer)
    sys.path[:] = errand.path
    errand.world.enter()
    with answers_to:
        pickle.dump([_answer(question) for question in errand.questions], answers_to)


def _answer(question: Question) -> Answer:
    try:
        module = _module(question)
        cls: Any = attrgetter(question.qualname)(module)
        trial = Subject(cls, *pickle.loads(question.subject)).trial()
        return [outcome for group in question.groups for outcome in trial.ask(group)]
    except Exception as error:  # noqa: BLE001 - an author's module may raise anything
        return "".join(traceback.format_exception_only(error)).strip()


def _module(question: Question) -> ModuleType:
    """Return the executor's module, from the file it came from, whatever the path says."""
    try:
        module = importlib.import_module(question.module)
        if Path(module.__file__ or "").samefile(question.file):
            return module
    except (ImportError, OSError):
        pass
    spec = importlib.util.spec_from_file_location(question.module, question.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{question.file} is no module of Python's")
    module = sys.modules[question.module] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
