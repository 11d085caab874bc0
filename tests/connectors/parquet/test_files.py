"""Files, footers and days below a source's path."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.kafka_batches import columns, write
from trivium.connectors.archive.units import SourceFile
from trivium.connectors.parquet.files import locate, read_footers
from trivium.core.errors import SourceError

DAY = "2026-03-01"
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


def found(path: Path) -> list[str]:
    return [file.path for file in locate(str(path))[1]]


def footers(path: Path, day_column: str | None = None) -> list[SourceFile]:
    return read_footers(*locate(str(path)), day_column)


def days(path: Path, day_column: str = "day") -> list[str | None]:
    return [group.day for source in footers(path, day_column) for group in source.groups]


def test_a_folder_gives_its_parquet_files_sorted_by_path(tmp_path: Path) -> None:
    for name in ("b.parquet", "a/z.parquet", "a/b/c.parquet"):
        write(tmp_path / name, columns(1))
    (tmp_path / "readme.txt").write_text("no data")
    assert found(tmp_path) == ["a/b/c.parquet", "a/z.parquet", "b.parquet"]
    assert locate(f"{tmp_path}/")[1] == locate(str(tmp_path))[1]
    assert locate(tmp_path.as_uri())[1] == locate(str(tmp_path))[1]


def test_one_file_is_named_relative_to_its_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "one.parquet", columns(3))
    write(tmp_path / "two.parquet", columns(3))
    storage, files = locate(str(path))
    assert [file.path for file in files] == ["one.parquet"]
    assert files[0].size == path.stat().st_size
    assert files[0].modified_us == path.stat().st_mtime_ns // 1000
    assert storage.stat("one.parquet") == files[0]


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    write(tmp_path / "events.parquet" / "part-0.parquet", columns(1))
    assert found(tmp_path / "events.parquet") == ["part-0.parquet"]


def test_hidden_names_are_left_out_and_partition_folders_are_not(tmp_path: Path) -> None:
    for name in ("_temporary/a.parquet", ".tmp/a.parquet", "_a.parquet", ".a.parquet", "_kind=x/a.parquet"):
        write(tmp_path / name, columns(1))
    assert found(tmp_path) == ["_kind=x/a.parquet"]


@pytest.mark.parametrize("name", ["empty", "absent", "absent.parquet"])
def test_nothing_there_is_an_error_that_names_the_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=f"{name}: expected Parquet files below it, found none"):
        locate(str(tmp_path / name))


def test_footers_tell_rows_and_groups_of_every_file_in_order(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"{number:03}.parquet", columns(number + 1), rows_per_group=10)
    read = footers(tmp_path)
    assert [source.file.path for source in read] == [f"{number:03}.parquet" for number in range(40)]
    assert [source.rows for source in read] == list(range(1, 41))
    assert [group.rows for group in read[24].groups] == [10, 10, 5]
    assert {group.day for source in read for group in source.groups} == {None}


@pytest.mark.parametrize("kept", [0, 3, 8, 200])
def test_a_cut_off_file_is_named(tmp_path: Path, kept: int) -> None:
    write(tmp_path / "a.parquet", columns(100))
    path = write(tmp_path / "sub/b.parquet", columns(100))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceError, match=r"sub/b\.parquet: expected a whole Parquet file, got: .* Try: restore"):
        footers(tmp_path)


def test_the_day_comes_from_the_folder_even_beside_a_column(tmp_path: Path) -> None:
    other = pa.array([SECOND] * 2)
    write(tmp_path / "kind=x" / f"day={DAY}" / "a.parquet", columns(2, day=other))
    write(tmp_path / "day=2026-03-02" / "deep" / "b.parquet", columns(2))
    assert days(tmp_path) == ["2026-03-02", DAY]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([DAY, DAY]),
        pa.array([FIRST, FIRST]),
        pa.array([datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (0, 23)], pa.timestamp("us", "UTC")),
    ],
    ids=["text", "date", "time"],
)
def test_the_day_comes_from_column_statistics(tmp_path: Path, values: pa.Array) -> None:
    write(tmp_path / "a.parquet", columns(2, day=values))
    assert days(tmp_path) == [DAY]


def test_each_row_group_has_its_own_day(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(4, day=[FIRST, FIRST, SECOND, SECOND]), rows_per_group=2)
    assert days(tmp_path) == [DAY, "2026-03-02"]


def test_several_days_in_a_row_group_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(4, day=[FIRST, FIRST, FIRST, SECOND]), rows_per_group=2)
    with pytest.raises(SourceError, match=r"a\.parquet, row group 1: expected one day in column day, got 2026"):
        footers(tmp_path, "day")


@pytest.mark.parametrize("values", [[DAY, None], [None, None], ["yesterday", "yesterday"], ["20260301", "20260301"]])
def test_a_row_group_with_rows_of_no_day_is_refused(tmp_path: Path, values: list[str | None]) -> None:
    write(tmp_path / "a.parquet", columns(2, day=pa.array(values, pa.string())))
    with pytest.raises(SourceError, match=r"a\.parquet, row group 0: expected one day in column day"):
        footers(tmp_path, "day")


def test_a_day_column_without_statistics_is_refused(tmp_path: Path) -> None:
    pq.write_table(columns(2, day=[DAY, DAY]), tmp_path / "a.parquet", write_statistics=False)
    with pytest.raises(SourceError, match="expected one day in column day, got None to None"):
        footers(tmp_path, "day")


@pytest.mark.parametrize("folder", ["", "day=20260301", "date=2026-03-01", "day=__HIVE_DEFAULT_PARTITION__"])
def test_a_file_that_tells_no_day_is_refused(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder / "a.parquet", columns(2))
    with pytest.raises(SourceError, match=r"a\.parquet: expected a folder day=YYYY-MM-DD or a column day"):
        footers(tmp_path, "day")
