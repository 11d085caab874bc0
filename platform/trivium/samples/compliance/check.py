"""The check of executors against their contract: with samples, with made-up events, and in two other processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from trivium.samples.check import FILE
from trivium.samples.compliance.breach import Breach, shown_apart, text_of
from trivium.samples.compliance.comparisons import compare
from trivium.samples.compliance.subject import Samples, Subject, given_cases, made_cases, sample_cases
from trivium.samples.compliance.subprocess_checks import compare_worlds
from trivium.samples.facts import together
from trivium.samples.file import Outcome, Sample
from trivium.samples.harness import Case, plain_row
from trivium.samples.values import differences

_MADE: Final = 100


def breaches(subject: Subject, samples: Samples | None = None) -> list[Breach]:
    """Return the ways in which an executor does not comply, one a check; other worlds are tried if this one is well."""
    cases, undeclared = _sampled(subject, samples)
    groups = [*_grouped(cases), made_cases(subject, _MADE)]
    found = [each for group in groups for each in compare(subject, group)] or [
        each for _, each in compare_worlds([(subject, groups)])
    ]
    checks = {each.check: each for each in reversed([*undeclared, *found])}
    return list(reversed(checks.values()))


def sample_breaches(subjects: Sequence[Subject]) -> dict[str, list[Breach]]:
    """Return what the samples beside executors show of them, by event type; two processes serve all of them.

    Samples are not held to their outcomes here.

    Raises:
        ProcessError: a process ended without an answer.
    """
    groups = {each.event_type: _grouped(_of_file(each)[1]) for each in subjects}
    found = {
        each.event_type: [one for group in groups[each.event_type] for one in compare(each, group)] for each in subjects
    }
    sound = [each for each in subjects if groups[each.event_type] and not found[each.event_type]]
    for subject, breach in compare_worlds([(each, groups[each.event_type]) for each in sound]):
        found[subject.event_type].append(breach)
    return found


def _of_file(subject: Subject) -> tuple[list[Sample], list[Case]]:
    file = subject.file.parent / FILE
    return sample_cases(subject, file) if file.is_file() else ([], [])


def _sampled(subject: Subject, samples: Samples | None) -> tuple[list[Case], list[Breach]]:
    if samples is None:
        written, cases = _of_file(subject)
    elif isinstance(samples, str | Path):
        written, cases = sample_cases(subject, Path(samples))
    else:
        return given_cases(subject, samples), []
    if not _has_defaults(subject):
        return cases, []
    outcomes = [subject.trial().ask([case])[0] for case in cases]
    wrong = (_undeclared(subject, each, outcome) for each, outcome in zip(written, outcomes, strict=True))
    return cases, [each for each in wrong if each is not None]


def _has_defaults(subject: Subject) -> bool:
    try:
        return bool(subject.options == subject.cls.Options())
    except ValidationError:
        return True  # without defaults, samples are written for the options of a pipeline


def _undeclared(subject: Subject, sample: Sample, outcome: Outcome) -> Breach | None:
    """Return the breach of a sample whose outcome is not the one written beside it."""
    expected = sample.expected
    if expected is None:
        return None
    rows = tuple(plain_row(row, subject.declaration) for row in expected.rows)
    agree = (len(rows), expected.rejected) == (len(outcome.rows), outcome.rejected)
    if agree and not list(differences(list(rows), list(outcome.rows), "rows")):
        return None
    wanted, got = shown_apart(Outcome(rows, expected.rejected), outcome)
    answers = (("expected", wanted), ("got", got))
    cause = "the executor or the sample is wrong; trivium check --update writes what the executor answers now"
    return Breach(f"sample of line {sample.line}", subject.name, text_of(sample.event), answers, cause)


def _grouped(cases: Sequence[Case]) -> list[list[Case]]:
    return [[cases[index] for index in group] for group in together([case.facts for case in cases])]
