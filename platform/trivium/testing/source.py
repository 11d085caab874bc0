"""Compliance of a streaming source: every offset once, in order, and the same again from any position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from trivium.connectors.kafka.fetched import Fetched
from trivium.samples.compliance.breach import cut

_WHOLE_BYTES: Final = 1 << 20
Records = dict[str, list[tuple[int, bytes | None]]]


class StreamingSource(Protocol):
    """A source as a stream's worker uses it."""

    def assign(self, positions: Mapping[str, int]) -> None:
        """Read these partitions from these offsets on; everything fetched so far is forgotten."""

    def poll(self, timeout_seconds: float, max_bytes: int) -> list[Fetched]:
        """Return what is there, up to about `max_bytes` of values; waits up to the time-out for a first."""

    def close(self) -> None:
        """Let go; idempotent."""


@dataclass(frozen=True)
class Patience:
    """The end of reading a source: after so many polls in a row, of so many seconds, without a piece."""

    quiet_polls: int = 3
    poll_seconds: float = 0.5


def assert_source_compliance(
    open_source: Callable[[], StreamingSource], positions: Mapping[str, int], patience: Patience | None = None
) -> None:
    """Hold a source to its contract, on a log that nobody writes to meanwhile.

    `open_source` makes a source; it is called several times. `positions` is the first offset of each partition.

    Raises:
        AssertionError: naming the source, the partition, both answers and the likely cause.
    """
    check = _Check(open_source, patience or Patience())
    whole = check.read(positions, _WHOLE_BYTES)
    check.same(whole, check.read(positions, _WHOLE_BYTES), "read twice", "records change, or are not read in order")
    check.same(whole, check.read(positions, 1), "small pieces", "records are lost where a piece is cut")
    for part in (0.25, 0.5, 0.75, 1.0):
        middle = {name: _place(whole.get(name, []), part, start) for name, start in positions.items()}
        rest = {name: [each for each in found if each[0] >= middle[name]] for name, found in whole.items()}
        check.same(rest, check.read(middle, _WHOLE_BYTES), "resumed in the middle", "positions are off by some")
        check.same(rest, check.moved(positions, middle), "assigned again", "what was fetched before is not forgotten")


def _place(records: list[tuple[int, bytes | None]], part: float, start: int) -> int:
    """Return the offset a part of the way through."""
    taken = int(len(records) * part)
    return records[taken - 1][0] + 1 if taken else start


class _Check:
    def __init__(self, open_source: Callable[[], StreamingSource], patience: Patience) -> None:
        self._open, self._patience = open_source, patience
        self._name = ""

    def read(self, positions: Mapping[str, int], max_bytes: int) -> Records:
        """Return all records from these positions on, from a new source."""
        source = self._opened()
        try:
            source.assign(positions)
            return self._to_the_end(source, positions, max_bytes)
        finally:
            source.close()
            source.close()

    def moved(self, first: Mapping[str, int], then: Mapping[str, int]) -> Records:
        """Read as `read` does, from a source that was at other positions before."""
        source = self._opened()
        try:
            source.assign(first)
            source.poll(self._patience.poll_seconds, 1)
            source.assign(then)
            return self._to_the_end(source, then, _WHOLE_BYTES)
        finally:
            source.close()

    def same(self, expected: Records, got: Records, check: str, cause: str) -> None:
        for name, records in expected.items():
            there = got.get(name, [])
            if records != there:
                pairs = zip(records, there, strict=False)
                place = next((at for at, (one, other) in enumerate(pairs) if one != other), len(there))
                answers = (_shown(records, place), _shown(there, place))
                self._fail(name, check, answers, cause)

    def _opened(self) -> StreamingSource:
        source = self._open()
        self._name = type(source).__name__
        return source

    def _to_the_end(self, source: StreamingSource, positions: Mapping[str, int], max_bytes: int) -> Records:
        found: Records = {name: [] for name in positions}
        expected, quiet = dict(positions), 0
        while quiet < self._patience.quiet_polls:
            pieces = source.poll(self._patience.poll_seconds, max_bytes)
            quiet = 0 if pieces else quiet + 1
            for piece in pieces:
                self._check_piece(piece, expected)
                expected[piece.partition] = piece.next
                found[piece.partition] += zip(piece.offsets.tolist(), piece.values, strict=True)
        return found

    def _check_piece(self, piece: Fetched, expected: Mapping[str, int]) -> None:
        name, offsets = piece.partition, piece.offsets.tolist()
        if name not in expected:
            self._fail(name, "partitions", (str(sorted(expected)), name), "it reads what it was not assigned")
        if piece.start != expected[name]:
            cause = "a piece begins where the last one of its partition ended, holes included"
            self._fail(name, "no gaps", (f"a piece from {expected[name]}", f"from {piece.start}"), cause)
        inside = all(piece.start <= each < piece.next for each in offsets)
        if not inside or offsets != sorted(set(offsets)):
            wanted = f"rising offsets from {piece.start} to before {piece.next}"
            self._fail(name, "offsets", (wanted, str(offsets[:10])), "offsets and range do not belong together")
        lengths = (len(offsets), len(piece.values), len(piece.timestamps))
        if len(set(lengths)) > 1:
            self._fail(name, "columns", ("one length", f"{lengths} offsets, values, timestamps"), "a column was cut")

    def _fail(self, partition: str, check: str, answers: tuple[str, str], cause: str) -> None:
        one, other = map(cut, answers)
        lines = [f"{self._name} is not compliant: {check}", f"  input: {partition}", f"  expected: {one}"]
        raise AssertionError("\n".join([*lines, f"  got: {other}", f"  likely cause: {cause}"]))


def _shown(records: list[tuple[int, bytes | None]], place: int) -> str:
    return f"offset {records[place][0]}: {records[place][1]!r}" if place < len(records) else "nothing more"
