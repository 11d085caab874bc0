"""Choice of the files to read: Parquet by its bytes, names by a pattern; the others are named."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.kafka_batches import columns, ids, reader, write
from trivium.connectors.parquet.listing import list_parquet
from trivium.core.errors import SourceError

NAMES = ("a.parquet", "b.parq", "c.PARQUET", "d.pq", "000000_0", "part-0000", "day=1/e.snappy.parquet", "f.parquet.bak")


def names(path: Path, pattern: str | None = None) -> list[str]:
    return [file.path for file in list_parquet(str(path), pattern).files]


def test_what_is_parquet_is_read_whatever_its_name(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        write(tmp_path / name, columns(1, start=number))
    listing = list_parquet(str(tmp_path))
    assert {file.path for file in listing.files} == set(NAMES)
    assert set(listing.renamed) == {"000000_0", "part-0000", "f.parquet.bak"}
    assert listing.notes() == [
        "3 files read, since Parquet whatever the name says: 000000_0, f.parquet.bak, part-0000",
    ]
    source = reader(tmp_path)
    (unit,) = source.plan().units(1000, None)
    assert sorted(name for part in source.batches(unit) for name in ids(part)) == [f"p{n}" for n in range(len(NAMES))]


def test_what_is_no_parquet_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(1))
    for number in range(7):
        (tmp_path / f"{number}.csv").write_text("a,b\n" * number)
    assert names(tmp_path) == ["a.parquet"]
    assert list_parquet(str(tmp_path)).notes() == [
        "7 files left out, since no Parquet: 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 2 more"
    ]


def test_hidden_names_are_left_out_without_a_word(tmp_path: Path) -> None:
    for name in (
        "_SUCCESS",
        ".part-0000.crc",
        "_temporary/0/part-0000",
        "_delta_log/0.checkpoint.parquet",
        "part-0000",
    ):
        write(tmp_path / name, columns(1))
    assert names(tmp_path) == ["part-0000"]
    assert list_parquet(str(tmp_path)).foreign == ()


@pytest.mark.parametrize("name", ["torn", "torn.txt", "torn.parquet", "torn.PARQ"])
def test_a_file_that_is_parquet_at_one_end_is_an_error(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / "whole.parquet", columns(100)).read_bytes()
    called = "." in name and "txt" not in name
    for torn in (whole[:-1], whole[:50], whole[:-1] if called else whole[1:]):
        (tmp_path / name).write_bytes(torn)
        with pytest.raises(SourceError, match=rf"/{name}: expected a whole Parquet file, got"):
            reader(tmp_path).plan()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1PAR1PAR1"])
def test_a_file_called_parquet_that_is_none_is_an_error(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "a.parquet", columns(1))
    (tmp_path / "b.Parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"/b\.Parquet: expected a whole Parquet file, got"):
        reader(tmp_path).plan()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.parq", ["b.parq", "x/c.parq", "x/y/d.parq"]),
        ("./*.parq", ["b.parq"]),
        ("**/*.parq", ["b.parq", "x/c.parq", "x/y/d.parq"]),
        ("x/**/*.parq", ["x/c.parq", "x/y/d.parq"]),
        ("x/*.parq", ["x/c.parq"]),
        ("*/*/*.parq", ["x/y/d.parq"]),
        ("x/**", ["x/c.parq", "x/part-1", "x/y/d.parq"]),
        ("part-[0-9]", ["x/part-1"]),
        ("[!a].pa??", ["b.parq", "x/c.parq", "x/y/d.parq"]),
    ],
)
def test_a_pattern_chooses_below_the_path(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("a.parquet", "b.parq", "x/c.parq", "x/part-1", "x/y/d.parq", "_x/e.parq"):
        write(tmp_path / name, columns(1))
    assert names(tmp_path, pattern) == expected
    left_out = 5 - len(expected)
    assert list_parquet(str(tmp_path), pattern).notes()[0].startswith(f"{left_out} file")


def test_a_file_that_the_pattern_chooses_must_be_parquet(tmp_path: Path) -> None:
    write(tmp_path / "part-0", columns(1))
    (tmp_path / "part-1").write_bytes(b"no Parquet at all")
    assert [each.path for each in list_parquet(str(tmp_path)).files] == ["part-0"]
    with pytest.raises(SourceError, match=r"/part-1: expected a whole Parquet file"):
        reader(tmp_path, pattern="part-*").plan()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, r"expected Parquet files below it, found none but 1 other file \(x/a\.csv\)"),
        ("*.parq", r"expected files that match source\.pattern '\*\.parq', found none but 1 other file \(x/a\.csv\)"),
    ],
)
def test_nothing_to_read_names_what_there_is(tmp_path: Path, pattern: str | None, message: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.csv").write_text("a")
    with pytest.raises(SourceError, match=message):
        list_parquet(str(tmp_path), pattern)


@pytest.mark.parametrize("name", ["one.parquet", "part-0000", "x.csv"])
def test_a_path_may_be_one_file_of_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, columns(2))
    write(tmp_path / "other.parquet", columns(2))
    source = reader(tmp_path / name)
    (unit,) = source.plan().units(10, None)
    assert [each.path for each in unit.ranges] == [name]
    assert [name for part in source.batches(unit) for name in ids(part)] == ["p0", "p1"]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}(\.[a-z]{1,4})?", fullmatch=True), st.booleans(), min_size=1))
def test_exactly_what_is_parquet_is_read(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bool]) -> None:
    folder = tmp_path_factory.mktemp("any")
    good = write(folder / "_good", columns(1))
    for name, parquet in files.items():
        shutil.copy(good, folder / name) if parquet else (folder / name).write_bytes(b"x" * len(name) * 10)
    called = [name for name, parquet in files.items() if not parquet and name.endswith((".pq", ".parq"))]
    chosen = sorted(name for name, parquet in files.items() if parquet)
    if chosen and not called:
        assert names(folder) == chosen
        assert list(list_parquet(str(folder)).foreign) == sorted(name for name, parquet in files.items() if not parquet)
