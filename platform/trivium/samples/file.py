"""`samples.jsonl`: one event a line, with the facts lookups know of it and the outcome it must come to.

    {"event": {…}, "enrichments": {"plane": {…} or null}, "rows": [{…}]}
    {"event": {…}, "dropped": true}
    {"event": {…}, "rejected": "invalid_row"}
    {"event": {…}}                                 no outcome yet: `trivium check --update` writes it
    {"event": {…}, "options": {…}, …}              under these options instead of the executor's defaults

Events and facts stay the bytes they are; only outcomes, and whole new lines, are ever written.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from trivium.contract.declaration import Declaration
from trivium.core.regular_file import read_regular

MOST_BYTES: Final = 256 << 20
"""Of a file of samples, which is read whole."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of an event: rows (author's columns as plain JSON data), a reason of rejection, or neither: dropped.

    `note` says more about a rejection or drop; it is shown, never compared.
    """

    rows: tuple[Mapping[str, Any], ...] = ()
    rejected: str | None = None
    note: str = ""

    @property
    def kind(self) -> str:
        """In words."""
        if self.rejected is not None:
            return f"rejected: {self.rejected}"
        return f"{len(self.rows)} row{'s' if len(self.rows) > 1 else ''}" if self.rows else "dropped"


@dataclass(frozen=True)
class Sample:
    """One line. `event`, `facts` and `options` (None: the defaults) are its own bytes.

    `expected` is None where no outcome is written yet.
    """

    line: int
    event: bytes
    facts: Mapping[str, bytes]
    expected: Outcome | None
    options: bytes | None = None


class SampleError(ValueError):
    """A line that is no sample."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(line, message)
        self.line, self.message = line, message

    def __str__(self) -> str:
        return f"{self.line}: {self.message}"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    event: Raw
    options: Raw | UnsetType = UNSET
    enrichments: dict[str, Raw] | UnsetType = UNSET
    rows: list[dict[str, Any]] | UnsetType = UNSET
    dropped: bool | UnsetType = UNSET
    rejected: str | UnsetType = UNSET


def read_samples(file: Path) -> tuple[list[Sample], list[SampleError]]:
    """Return the samples of a file, and the lines that are none. Empty lines are passed over.

    Raises:
        OSError: the file cannot be read, is no regular file, or is larger than samples are.
    """
    samples: list[Sample] = []
    errors: list[SampleError] = []
    for number, text in enumerate(read_regular(file, MOST_BYTES).splitlines(), 1):
        if not text.strip():
            continue
        try:
            samples.append(_sample(number, text))
        except SampleError as error:
            errors.append(error)
    return samples, errors


def own(samples: Sequence[Sample], declaration: Declaration, tag_field: str | None) -> list[Sample]:
    """Return the samples but those of the other event types that the class claims, as the events' tags say."""
    others = [] if tag_field is None else [name for name in declaration.event_types if name != declaration.event_type]
    return [sample for sample in samples if not others or _tag(sample.event, str(tag_field)) not in others]


def _tag(event: bytes, tag_field: str) -> object:
    try:
        decoded = msgspec.json.decode(event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return decoded.get(tag_field) if isinstance(decoded, dict) else None


def write_outcomes(file: Path, outcomes: Mapping[int, Outcome]) -> None:
    """Put these outcomes, by line, in the place of what the lines said. Other lines stay as they are, byte for byte."""
    lines = file.read_bytes().splitlines(keepends=True)
    for number, outcome in outcomes.items():
        line = _decoded(number, lines[number - 1])
        line.rows = [dict(row) for row in outcome.rows] or UNSET
        line.rejected = UNSET if outcome.rejected is None else outcome.rejected
        line.dropped = UNSET if outcome.rows or outcome.rejected is not None else True
        lines[number - 1] = msgspec.json.encode(line) + b"\n"
    _replace(file, b"".join(lines))


def append_samples(file: Path, lines: Sequence[bytes]) -> None:
    """Put lines behind those of a file, which need not be there."""
    before = file.read_bytes() if file.is_file() else b""
    end = b"\n" if before and not before.endswith(b"\n") else b""
    if lines:
        _replace(file, before + end + b"".join(line + b"\n" for line in lines))


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    temporary.write_bytes(content)
    temporary.replace(file)


def _sample(number: int, text: bytes) -> Sample:
    line = _decoded(number, text)
    facts = {} if line.enrichments is UNSET else {name: bytes(raw) for name, raw in line.enrichments.items()}
    options = None if line.options is UNSET else bytes(line.options)
    return Sample(number, bytes(line.event), facts, _expected(number, line), options)


def _decoded(number: int, text: bytes) -> _Line:
    try:
        return msgspec.json.decode(text, type=_Line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = (
            f'not a sample: {error}. Expected {{"event": …, "enrichments": …, "rows" or "dropped" or "rejected": …}}'
        )
        raise SampleError(number, message) from error


def _expected(number: int, line: _Line) -> Outcome | None:
    given = [name for name in ("rows", "dropped", "rejected") if getattr(line, name) is not UNSET]
    if len(given) > 1:
        raise SampleError(number, f"expected one outcome, got {' and '.join(given)}")
    if not given:
        return None
    if line.dropped is False or line.rows == []:
        raise SampleError(number, 'an event without rows is written "dropped": true')
    rows = () if line.rows is UNSET else tuple(line.rows)
    return Outcome(rows, None if line.rejected is UNSET else line.rejected)
