"""One way in which an executor, a lookup or a source does not keep its contract."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from trivium.samples.file import Outcome
from trivium.samples.values import differences

_SHOWN: Final = 400


@dataclass(frozen=True)
class Breach:
    """`check` names the check, `answers` the two that differ, each with how it came about."""

    check: str
    subject: str
    input: str
    answers: tuple[tuple[str, str], ...]
    cause: str
    hints: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        lines = [f"{self.subject} is not compliant: {self.check}", f"  input: {cut(self.input)}"]
        lines += [f"  {name}: {cut(answer)}" for name, answer in self.answers]
        lines.append(f"  likely cause: {self.cause}")
        return "\n".join([*lines, *(f"    {hint}" for hint in self.hints)])


def shown(outcome: Outcome | None) -> str:
    """Return an outcome with its rows."""
    if outcome is None:
        return "no answer"
    if outcome.rows:
        return f"{outcome.kind}: {json.dumps(list(outcome.rows), ensure_ascii=False, default=str)}"
    return f"{outcome.kind} ({outcome.note})" if outcome.note else outcome.kind


def shown_apart(one: Outcome, other: Outcome) -> tuple[str, str]:
    """Two outcomes that differ: where both have rows, only the values that differ."""
    if not one.rows or len(one.rows) != len(other.rows):
        return shown(one), shown(other)
    places = list(differences(list(one.rows), list(other.rows), "rows"))
    left, right = (
        ", ".join(f"{each[0]} = {json.dumps(each[side], ensure_ascii=False, default=str)}" for each in places)
        for side in (1, 2)
    )
    return f"{one.kind}, {left}", f"{other.kind}, {right}"


def text_of(event: bytes) -> str:
    """Return a record as people read it."""
    return event.decode("utf-8", "backslashreplace")


def same(one: Outcome, other: Outcome) -> bool:
    """Return whether two outcomes are equal; the words of an error may differ."""
    return (one.rows, one.rejected) == (other.rows, other.rejected)


def cut(text: str) -> str:
    """Return a text of one line, short enough for a message."""
    text = text.replace("\n", "\\n")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
