"""Dead letters, parked ones included, as a person looks at them: grouped by cause, or one whole. Read only."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trivium.delivery.dead_letters import batch as dead_letters
from trivium.delivery.dead_letters.schema import PARKED
from trivium.operations.errors import ArgumentError
from trivium.operations.status import Parked, parked_by_batch
from trivium.operations.tables import Tables, existing, letters_table

__all__ = ["PARKED", "LetterGroup", "at_place", "chosen", "grouped", "left_out", "place", "read_letters"]


@dataclass(frozen=True)
class LetterGroup:
    """Dead letters of one event type, stage and reason. Positions read SOURCE:POSITION; `error` is the first one's."""

    event_type: str
    stage: str
    reason: str
    count: int
    first: str
    last: str
    error: str
    owner: str | None = None
    description: str | None = None


def read_letters(tables: Tables) -> list[dict[str, Any]]:
    """Return the dead letters that count, by source and position.

    Raises:
        ArgumentError: there is no table or no table of dead letters, or it is another kind of table.
    """
    existing(tables.table)
    if letters_table(tables.dead_letters) is None:
        message = f"there are no dead letters at {tables.dead_letters}"
        raise ArgumentError(
            f"{message}. Try: the pipeline file, which says where they are; a first run makes the table"
        )
    found: pa.Table = dead_letters.read(tables.dead_letters, tables.table)
    letters: list[dict[str, Any]] = found.sort_by([("source", "ascending"), ("position", "ascending")]).to_pylist()
    return letters


def chosen(letters: Iterable[dict[str, Any]], reason: str | None, event_type: str | None) -> list[dict[str, Any]]:
    """Return the dead letters of a reason and of an event type; None means any."""
    return [
        letter
        for letter in letters
        if reason in (None, letter["reason"]) and event_type in (None, letter["event_type"] or "")
    ]


def grouped(letters: Iterable[dict[str, Any]], tables: Tables) -> list[LetterGroup]:
    """Return one group per cause, the largest first, each with the owner of its event type."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for letter in letters:
        key = (letter["event_type"] or "", letter["stage"], letter["reason"])
        groups.setdefault(key, []).append(letter)
    made = []
    for key, members in groups.items():
        owned = tables.owner_of(key[0])
        whose = (None, None) if owned is None else (owned.owner, owned.description)
        first, last = place(members[0]), place(members[-1])
        made.append(LetterGroup(*key, len(members), first, last, members[0]["error"] or "", *whose))
    return sorted(made, key=lambda group: (-group.count, group.event_type, group.stage, group.reason))


def left_out(tables: Tables, event_type: str | None) -> list[Parked]:
    """Return the parked types (or the one, if it is) that batch has left out: their inputs are no letters."""
    return [each for each in parked_by_batch(tables.table) if event_type in (None, each.event_type) and each.days]


def place(letter: dict[str, Any]) -> str:
    """Return the place of the record: SOURCE:POSITION."""
    return f"{letter['source']}:{letter['position']}"


def at_place(letters: Iterable[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """Return the dead letter of a record as plain data; a `value` that is no UTF-8 is base64 as `value_base64`.

    Raises:
        ArgumentError: no dead letter is there.
    """
    every = list(letters)
    found = next((letter for letter in every if place(letter) == wanted), None)
    if found is None:
        example = f"such as {place(every[0])}" if every else "there is none at all"
        raise ArgumentError(f"there is no dead letter at {wanted}. Try: one that dead-letters list shows, {example}")
    return _plain(found)


def _plain(letter: dict[str, Any]) -> dict[str, Any]:
    shown = {**letter, "rejected_at": letter["rejected_at"].isoformat().replace("+00:00", "Z")}
    value = shown.pop("value")
    try:
        shown["value"] = None if value is None else value.decode()
    except UnicodeDecodeError:
        shown["value_base64"] = base64.b64encode(value).decode()
    return shown
