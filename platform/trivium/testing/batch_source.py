"""Compliance of a batch source: every row once, the same rows again from any place, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise
from typing import Any, Final, NoReturn

import pyarrow as pa

from trivium.contract.source import BatchSource, SourcePart
from trivium.samples.compliance.breach import cut

_MOST_BYTES: Final = 64 << 20
_NOWHERE: Final = "a part that no archive has"
_ORDER: Final = "rows have no order of their own; sort them by something that stays"
_FIRST: Final = "ranges do not count from the part's first row"
_KEPT: Final = "`version` is kept too long"


def assert_batch_source_compliance(
    open_source: Callable[[], BatchSource], change: Callable[[], object] | None = None
) -> None:
    """Hold a batch source to its contract, on a small archive that nobody writes to meanwhile.

    `open_source` makes a source, as every worker does; it is called several times. `change` changes rows of the
    archive, if it is given: then it is called once, at the end, and the source has to notice.

    Raises:
        AssertionError: naming the source, the part, both answers and the likely cause.
    """
    check = _Check(open_source)
    parts = check.parts()
    check.listed(parts)
    check.same_again(parts)
    for part in parts:
        check.rows(part)
    if change is not None:
        change()
        check.noticed(parts)


class _Check:
    def __init__(self, open_source: Callable[[], BatchSource]) -> None:
        self._open = open_source
        self._source = open_source()

    def parts(self) -> list[SourcePart]:
        """Return the parts that have rows, sorted by name; all of them are checked on their own."""
        parts = self._parts(self._source)
        if not any(part.rows for part in parts):
            self._fail("the archive", "its parts", ("some with rows", f"{len(parts)} without"), "the archive is empty")
        return [part for part in parts if part.rows]

    def listed(self, parts: list[SourcePart]) -> None:
        """Check names, versions and days."""
        dated = {part.day is not None for part in parts}
        if len(dated) > 1:
            bare = next(part.name for part in parts if part.day is None)
            self._fail(bare, "days", ("a day of every part, or of none", "None"), "the day of some rows is not known")
        for part in parts:
            version = self._source.version(part.name)
            if version != part.version:
                cause = "`version` and `parts` do not count the same"
                self._fail(part.name, "its version", (part.version, repr(version)), cause)
        if (found := self._source.version(_NOWHERE)) is not None:
            self._fail(_NOWHERE, "its version", ("None", repr(found)), "a part that is gone has no version")

    def same_again(self, parts: list[SourcePart]) -> None:
        """Check that another process finds the same parts."""
        again = {part.name: part for part in self._parts(self._open())}
        for part in parts:
            other = again.get(part.name)
            if other != part:
                self._fail(part.name, "listed again", (repr(part), repr(other)), "names or versions are made up anew")

    def rows(self, part: SourcePart) -> None:
        """Check that any range of a part is what stands there in the whole of it."""
        whole = self._read(self._source, part, range(part.rows))
        cuts = sorted({0, part.rows // 4, part.rows // 2, part.rows * 3 // 4, part.rows - 1, part.rows})
        self._same(part, whole, self._read(self._source, part, range(part.rows)), "read twice", _ORDER)
        self._same(part, whole, self._read(self._open(), part, range(part.rows)), "read elsewhere", _ORDER)
        for low, high in pairwise(cuts):
            got = self._read(self._open(), part, range(low, high))
            self._same(
                part, whole[low:high], got, f"rows {low} to {high}", "ranges do not count from the part's first row"
            )
        for place in (0, part.rows // 2, part.rows - 1):
            got = self._read(self._source, part, range(place, place + 1))
            self._same(part, whole[place : place + 1], got, f"row {place} alone", _ORDER)

    def noticed(self, parts: list[SourcePart]) -> None:
        """Check that a change of the archive shows in the versions."""
        source = self._open()
        now = {part.name: part.version for part in self._parts(source)}
        changed = [part.name for part in parts if now.get(part.name) != part.version]
        if not changed and len(now) == len(parts):
            self._fail(
                "the archive",
                "changed",
                ("another version of a part", "the same ones"),
                "the version does not depend on all rows",
            )
        for name in changed:
            if source.version(name) != now.get(name):
                self._fail(name, "changed", (repr(now.get(name)), repr(source.version(name))), _KEPT)

    def _parts(self, source: BatchSource) -> list[SourcePart]:
        found = list(source.parts())
        names = {part.name for part in found}
        if len(names) < len(found):
            self._fail("the archive", "its parts", (f"{len(found)} names", f"{len(names)}"), "two parts have one name")
        for part in found:
            for name, kind in (("name", str), ("version", str), ("rows", int), ("day", date | None)):
                value = getattr(part, name)
                if not isinstance(value, kind):
                    self._fail(str(part.name), f"its {name}", (str(kind), repr(value)), "SourcePart says the types")
        return sorted(found, key=lambda part: part.name)

    def _read(self, source: BatchSource, part: SourcePart, rows: range) -> list[dict[str, Any]]:
        """Return the rows of a range; what the engine relies on in a batch is checked."""
        found: list[dict[str, Any]] = []
        batches: Iterable[object] = source.read(part.name, rows)
        for batch in batches:
            if not isinstance(batch, pa.RecordBatch) or not batch.schema.equals(source.schema):
                got = batch.schema if isinstance(batch, pa.RecordBatch) else type(batch).__name__
                self._fail(part.name, "its batches", (str(source.schema), str(got)), "`schema` says something else")
            if batch.nbytes > _MOST_BYTES and batch.num_rows > 1:
                sizes = (f"at most {_MOST_BYTES:,} bytes a batch", f"{batch.nbytes:,}")
                self._fail(part.name, "memory", sizes, "a part is read whole; yield some thousand rows at a time")
            found += batch.to_pylist()
        if len(found) != len(rows):
            counts = (f"{len(rows)} rows", f"{len(found)}")
            self._fail(part.name, f"rows {rows.start} to {rows.stop}", counts, "`parts` counts other rows")
        return found

    def _same(
        self, part: SourcePart, expected: list[dict[str, Any]], got: list[dict[str, Any]], check: str, cause: str
    ) -> None:
        for place, (one, other) in enumerate(zip(expected, got, strict=True)):
            if repr(one) != repr(other):
                self._fail(f"{part.name}, row {place}", check, (repr(one), repr(other)), cause)

    def _fail(self, place: str, check: str, answers: tuple[str, str], cause: str) -> NoReturn:
        one, other = map(cut, answers)
        lines = [f"{type(self._source).__name__} is not compliant: {check}", f"  input: {place}", f"  expected: {one}"]
        raise AssertionError("\n".join([*lines, f"  got: {other}", f"  likely cause: {cause}"]))
