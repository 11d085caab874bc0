"""A lookup in memory: what it answers, what it refuses, and when it looks at its files again."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.kafka_batches import write
from trivium import Enrichment, Event, Executor, NormalizedEvent, Row
from trivium.config.model.file_lookups import ParquetLookupSettings as LookupConfig
from trivium.config.pipeline import BoundLookup
from trivium.connectors import open_lookup, snapshot_of
from trivium.contract.lookup import Lookup
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Deadline
from trivium.core.errors import LookupAnswerError, SourceError
from trivium.testing import ManualClock
from trivium.types.rows import row_fields


class Shelf(Row):
    code: str
    slots: int = msgspec.field(name="slotCount")
    hall: str | None = None


class Stored(Event, tag="stored"):
    item: str
    shelf: str


class StoredRow(NormalizedEvent):
    hall: str | None = None


class StoredExecutor(Executor[Stored, StoredRow]):
    """Where an item lies."""

    place = Enrichment(Shelf, key="shelf", lookup="shelves")

    def process(self, event: Stored, place: Shelf) -> StoredRow:
        return StoredRow(event_id=event.item, event_time=datetime(2026, 3, 1, tzinfo=UTC), hall=place.hall)


FIELDS = StoredExecutor.declaration.enrichment_fields["place"]
SHELVES = pa.table({"code": ["A", "B"], "slotCount": [3, 4], "hall": ["north", None], "unused": [b"x" * 99, b""]})


def bound(path: Path, key_type: pa.DataType | None = None, **config: Any) -> BoundLookup:
    settings = LookupConfig(**{"type": "parquet", "path": str(path), "key": "code", "refresh_seconds": 60.0, **config})
    return BoundLookup(
        name="shelves",
        columns=FIELDS,
        key_type=key_type or pa.string(),
        retry=RetryPolicy(),
        unavailable=settings.unavailable,
        config=settings,
    )


def answers(lookup: Lookup, keys: list[Any], kind: pa.DataType | None = None) -> list[dict[str, Any] | None]:
    answer = lookup.fetch(pa.array(keys, kind or pa.string()), Deadline.after(ManualClock(), 1.0))
    assert answer.index.type == pa.int32()
    rows = answer.rows.to_pylist()
    return [None if place is None else rows[place] for place in answer.index.to_pylist()]


def opened(path: Path, **config: Any) -> Lookup:
    return open_lookup(bound(path, **config), ManualClock())


def test_keys_are_answered_in_their_order_under_wire_names(tmp_path: Path) -> None:
    path = write(tmp_path / "shelves.parquet", SHELVES)
    north, plain = {"code": "A", "slotCount": 3, "hall": "north"}, {"code": "B", "slotCount": 4, "hall": None}
    assert answers(opened(path), ["B", "?", "A", "b"]) == [plain, None, north, None]
    assert answers(opened(path), []) == []


@pytest.mark.parametrize(
    ("kind", "known", "unknown"),
    [
        (pa.string(), ["x", "é"], "y"),
        (pa.int64(), [1, -(2**63)], 2),
        (pa.int32(), [1, -5], 2),
        (pa.bool_(), [True], False),
        (pa.date32(), [date(2026, 3, 1)], date(2026, 3, 2)),
        (pa.timestamp("us", "UTC"), [datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC)], datetime(2026, 3, 1, tzinfo=UTC)),
        (pa.binary(), [b"\x00\xff"], b""),
    ],
    ids=str,
)
def test_a_key_that_is_no_declared_column(tmp_path: Path, kind: pa.DataType, known: list[Any], unknown: Any) -> None:
    codes = [f"c{n}" for n in range(len(known))]
    table = pa.table({"id": pa.array(known, kind), "code": codes, "slotCount": [1] * len(known)})
    lookup = opened(write(tmp_path / "a.parquet", table), key="id", key_type=kind)
    found = answers(lookup, [*known, unknown], kind)
    assert [row and row["code"] for row in found] == [*codes, None]


def test_a_narrower_key_in_the_file_is_widened(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([7], pa.int16()), "code": ["A"], "slotCount": [1]})
    lookup = opened(write(tmp_path / "a.parquet", table), key="id", key_type=pa.int64())
    assert answers(lookup, [7], pa.int64()) == [{"code": "A", "slotCount": 1, "hall": None, "id": 7}]


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (pa.array(["x"]), pa.int64()),
        (pa.array(["7"]), pa.int64()),
        (pa.array([1.5]), pa.int64()),
        (pa.array([7]), pa.string()),
    ],
    ids=["text", "digits", "fraction", "number"],
)
def test_a_key_column_of_another_type_is_refused(tmp_path: Path, ids: pa.Array, kind: pa.DataType) -> None:
    table = pa.table({"id": ids, "code": ["A"], "slotCount": [1]})
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(SourceError, match=rf"lookup shelves: .*\n  column id: expected {kind}, got {ids.type}"):
        opened(path, key="id", key_type=kind)


def test_a_missing_key_column_and_wrong_columns_are_listed_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"slotCount": ["three"], "hall": ["north"]}))
    with pytest.raises(SourceError) as caught:
        opened(path)
    first, *problems = str(caught.value).splitlines()
    assert first.endswith("a.parquet cannot be read as declared (it has slotCount, hall):")
    assert [problem.strip() for problem in problems] == [
        "column code: it is the key and missing",
        "column slotCount: expected int64, got string",
    ]


@pytest.mark.parametrize("keys", [["A", None], [None, None]])
def test_rows_without_a_key_are_refused(tmp_path: Path, keys: list[str | None]) -> None:
    table = pa.table({"id": pa.array(keys, pa.string()), "code": ["A", "B"], "slotCount": [1, 2]})
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(LookupAnswerError, match=r"lookup shelves: \d rows have no key"):
        opened(path, key="id")


def test_a_key_twice_is_refused_even_in_two_files(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", SHELVES)
    write(tmp_path / "2.parquet", SHELVES.slice(1))
    with pytest.raises(LookupAnswerError, match="expected one row a key, got 1 keys more than once, such as 'B'"):
        opened(tmp_path)


def test_a_null_in_a_required_column_names_row_and_column(tmp_path: Path) -> None:
    table = SHELVES.set_column(1, "slotCount", pa.array([3, None]))
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(LookupAnswerError, match=r"a\.parquet, row 1, column slotCount: a value is required, got null"):
        opened(path)


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", SHELVES.drop_columns(["hall"]))
    assert answers(opened(path), ["A"]) == [{"code": "A", "slotCount": 3, "hall": None}]


class Floor(Row):
    code: str
    level: int = 7


@pytest.mark.parametrize("dropped", [[], ["level"]])
def test_a_default_stands_for_nulls_and_for_a_missing_column(tmp_path: Path, dropped: list[str]) -> None:
    table = pa.table({"code": ["A"], "level": pa.array([None], pa.int64())})
    path = write(tmp_path / "a.parquet", table.drop_columns(dropped))
    lookup = open_lookup(replace(bound(path), columns=row_fields(Floor)), ManualClock())
    assert answers(lookup, ["A"]) == [{"code": "A", "level": 7}]


def test_files_of_one_folder_may_have_columns_in_any_order_or_without_optional_ones(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", pa.table({"hall": ["north"], "code": ["A"], "slotCount": [1]}))
    write(tmp_path / "2.parquet", pa.table({"slotCount": pa.array([2], pa.int8()), "code": ["B"]}))
    write(tmp_path / "3.parquet", pa.table({"code": ["C"], "hall": pa.array([None], pa.null()), "slotCount": [3]}))
    found = answers(opened(tmp_path), ["C", "B", "A"])
    assert [row and (row["code"], row["slotCount"], row["hall"]) for row in found] == [
        ("C", 3, None),
        ("B", 2, None),
        ("A", 1, "north"),
    ]


def test_files_of_one_folder_without_an_optional_column_and_with_a_key_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", SHELVES.append_column("id", pa.array(["x", "y"])))
    write(tmp_path / "2.parquet", SHELVES.drop_columns(["hall"]).append_column("id", pa.array(["v", "w"])))
    found = answers(opened(tmp_path, key="id"), ["w", "x"])
    assert [row and (row["code"], row["hall"]) for row in found] == [("B", None), ("A", "north")]


def test_an_empty_file_answers_nothing(tmp_path: Path) -> None:
    lookup = opened(write(tmp_path / "a.parquet", SHELVES.slice(2)))
    assert answers(lookup, ["A"]) == [None]


@pytest.mark.parametrize(("limit", "value"), [("max_rows", 1), ("max_bytes", 10)])
def test_more_than_the_bounds_is_refused_with_the_key_to_raise(tmp_path: Path, limit: str, value: int) -> None:
    path = write(tmp_path / "a.parquet", SHELVES)
    with pytest.raises(SourceError, match=rf"lookup shelves: expected at most .* got 2 rows .*Try: .*{limit}"):
        opened(path, **{limit: value})
    assert answers(opened(path, max_rows=2), ["A"]) != [None]


def renamed(path: Path, hall: str, modified: int) -> None:
    write(path, SHELVES.set_column(2, "hall", pa.array([hall, hall])), modified=modified)


def halls(lookup: Lookup) -> list[Any]:
    return [row and row["hall"] for row in answers(lookup, ["A"])]


def test_a_frozen_lookup_never_looks_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.parquet", ManualClock()
    renamed(path, "old", 1_000)
    lookup = open_lookup(bound(path), clock, pinned=True)
    path.unlink()
    clock.seconds = 1e12
    assert halls(lookup) == ["old"]


def test_the_snapshot_changes_with_size_time_and_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", SHELVES, modified=1_000)
    seen = [snapshot_of(opened(tmp_path))]
    os.utime(path, (2_000, 2_000))
    seen.append(snapshot_of(opened(tmp_path)))
    write(path, SHELVES.slice(1), modified=2_000)
    seen.append(snapshot_of(opened(tmp_path)))
    path.rename(tmp_path / "b.parquet")
    seen.append(snapshot_of(opened(tmp_path)))
    assert len(set(seen)) == 4
    assert snapshot_of(opened(tmp_path)) == seen[-1]


def test_a_column_may_lie_in_folders_names(tmp_path: Path) -> None:
    for hall, code in (("north", "A"), ("s%C3%BCd", "B"), ("__HIVE_DEFAULT_PARTITION__", "C")):
        write(tmp_path / f"hall={hall}/slotCount=3/part-0", pa.table({"code": [code, f"{code}2"]}))
    halls = {"A2": "north", "B": "süd", "C": None}
    expected = [{"code": code, "slotCount": 3, "hall": hall} for code, hall in halls.items()]
    assert answers(opened(tmp_path), ["A2", "B", "C"]) == expected


def test_a_folder_that_is_none_of_the_declared_type_is_named(tmp_path: Path) -> None:
    write(tmp_path / "slotCount=three/a.parquet", pa.table({"code": ["A"]}))
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read .*\n  column slotCount: folder slotC"):
        opened(tmp_path)


def test_two_columns_of_one_name_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", SHELVES.append_column("hall", pa.array(["x", "y"])))
    with pytest.raises(SourceError, match=r"column hall: the file has 2 columns of this name"):
        opened(path)


def test_a_damaged_page_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(SHELVES, path, compression="none", use_dictionary=False, write_page_checksum=True)
    torn, chunk = bytearray(path.read_bytes()), pq.read_metadata(path).row_group(0).column(0)
    torn[chunk.data_page_offset + chunk.total_compressed_size - 2] ^= 1
    path.write_bytes(torn)
    with pytest.raises(SourceError, match=r"a\.parquet: expected a whole Parquet file, got: .*(CRC|checksum)"):
        opened(path)
