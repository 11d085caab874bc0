"""Complaints of the kit about batch sources that break their contract, and none about one that keeps it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from trivium import SourcePart
from trivium.testing import assert_batch_source_compliance, batch_source

DAYS = {"one": date(2026, 3, 1), "two": date(2026, 3, 2)}


class Numbers:
    """Keeps the contract; the others change one thing."""

    schema: pa.Schema = pa.schema([("n", pa.int64())])

    def __init__(self) -> None:
        self.values = {"one": list(range(10)), "two": [7]}

    def parts(self) -> Iterator[SourcePart]:
        for name, values in self.values.items():
            yield SourcePart(name=name, rows=len(values), version=self.version(name) or "", day=DAYS[name])

    def version(self, name: str) -> str | None:
        return str(self.values[name]) if name in self.values else None

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        yield self.batch(self.values[name][rows.start : rows.stop])

    def batch(self, values: list[Any]) -> pa.RecordBatch:
        return pa.record_batch([pa.array(values, pa.int64())], schema=self.schema)


class Twice(Numbers):
    def parts(self) -> Iterator[SourcePart]:
        yield from super().parts()
        yield from super().parts()


class Empty(Numbers):
    def __init__(self) -> None:
        self.values = {"one": []}


class SomeDays(Numbers):
    def parts(self) -> Iterator[SourcePart]:
        for part in super().parts():
            yield SourcePart(
                name=part.name, rows=part.rows, version=part.version, day=None if part.rows == 1 else part.day
            )


class TextDays(Numbers):
    def parts(self) -> Iterator[SourcePart]:
        for part in super().parts():
            yield msgspec.structs.replace(part, day="2026-03-01")


class OtherVersion(Numbers):
    def version(self, name: str) -> str | None:
        return "1" if name in self.values else None

    def parts(self) -> Iterator[SourcePart]:
        yield SourcePart(name="one", rows=10, version="2")


class EverThere(Numbers):
    def version(self, name: str) -> str | None:
        return "1"


class NewNames(Numbers):
    number = itertools.count()

    def __init__(self) -> None:
        self.values = {f"part {next(self.number)}": [1]}

    def parts(self) -> Iterator[SourcePart]:
        for name in self.values:
            yield SourcePart(name=name, rows=1, version=self.version(name) or "")


class Shuffled(Numbers):
    number = itertools.count()

    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        turned = -1 if next(self.number) % 2 else 1
        yield self.batch(self.values[name][::turned][rows.start : rows.stop])


class FromTheTop(Numbers):
    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        yield self.batch(self.values[name][: len(rows)])


class Short(Numbers):
    def read(self, name: str, rows: range) -> Iterator[pa.RecordBatch]:
        yield self.batch(self.values[name][rows.start : rows.stop][:-1])


class OtherColumns(Numbers):
    def batch(self, values: list[Any]) -> pa.RecordBatch:
        return pa.record_batch([pa.array(values, pa.int32())], names=["n"])


def test_one_that_keeps_it_complies() -> None:
    assert_batch_source_compliance(Numbers)


@pytest.mark.parametrize(
    ("kind", "check", "cause"),
    [
        (Twice, "its parts", "two parts have one name"),
        (Empty, "its parts", "the archive is empty"),
        (SomeDays, "days", "the day of some rows is not known"),
        (TextDays, "its day", "SourcePart says the types"),
        (OtherVersion, "its version", "`version` and `parts` do not count the same"),
        (EverThere, "its version", "a part that is gone has no version"),
        (NewNames, "listed again", "names or versions are made up anew"),
        (Shuffled, "read twice", "rows have no order of their own"),
        (FromTheTop, "rows 2 to 5", "ranges do not count from the part's first row"),
        (Short, "rows 0 to 10", "`parts` counts other rows"),
        (OtherColumns, "its batches", "`schema` says something else"),
    ],
)
def test_a_bad_source_is_named_with_both_answers(kind: type[Numbers], check: str, cause: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_batch_source_compliance(kind)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{kind.__name__} is not compliant: {check}"
    assert [line.split(":")[0] for line in lines[1:]] == ["  input", "  expected", "  got", "  likely cause"]
    assert cause in lines[4]


def test_a_part_that_is_one_batch_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_source, "_MOST_BYTES", 50)
    with pytest.raises(AssertionError, match="Numbers is not compliant: memory"):
        assert_batch_source_compliance(Numbers)


def test_a_change_has_to_show() -> None:
    values: dict[str, list[int]] = {"one": [1, 2, 3]}

    class Log(Numbers):
        def __init__(self) -> None:
            self.values = values

    class Length(Log):
        def version(self, name: str) -> str | None:
            return str(len(values[name])) if name in values else None

    assert_batch_source_compliance(Log, lambda: values["one"].append(4))
    with pytest.raises(AssertionError, match=r"changed\n.*\n.*\n.*\n  likely cause: the version does not depend on"):
        assert_batch_source_compliance(Length, lambda: values.update(one=[5, 2, 3, 4]))
