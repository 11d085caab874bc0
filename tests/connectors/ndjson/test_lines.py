"""Lines of plain and compressed files: counted, cut into ranges, read from where a range begins, bounded in length."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from trivium.connectors.ndjson import lines
from trivium.connectors.ndjson.lines import TextFile
from trivium.core.errors import SourceError
from trivium.delivery.storage.storage import Storage

RECORDS = [b"%d %s" % (number, b"x" * (number % 97)) for number in range(200_000)]
TEXT = b"\n".join(RECORDS)


def written(folder: Path, name: str, data: bytes) -> TextFile:
    (folder / name).write_bytes(data)
    return TextFile(Storage(str(folder)), name)


def read(file: TextFile, span: range, mark: tuple[int, int]) -> list[bytes | None]:
    found: list[bytes | None] = []
    for first, part in file.read(span, mark):
        assert first == span.start + len(found)
        found += part
    return found


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["an open last line", "a closed last line"])
def test_a_plain_file_is_cut_into_ranges_that_are_read_alone(tmp_path: Path, end: bytes) -> None:
    file = written(tmp_path, "x.ndjson", TEXT + end)
    groups = file.groups(None)
    assert len(groups) > 2
    assert sum(each.rows for each in groups) == len(RECORDS)
    for each in groups:
        start, byte = each.mark
        span = range(start, start + each.rows)
        assert TEXT[byte:].startswith(RECORDS[start])
        assert read(file, span, each.mark) == RECORDS[start : span.stop]
        assert read(file, range(start + 5, start + 6), each.mark) == [RECORDS[start + 5]]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.gz", gzip.compress(TEXT)),
        ("two.gz", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
        ("x.zst", pa.Codec("zstd").compress(TEXT, asbytes=True)),
    ],
)
def test_a_compressed_file_is_one_group(tmp_path: Path, name: str, data: bytes) -> None:
    file = written(tmp_path, name, data)
    (group,) = file.groups("2026-03-01")
    assert (group.rows, group.day, group.mark) == (len(RECORDS), "2026-03-01", (0, 0))
    assert read(file, range(150_000, 150_010), group.mark) == RECORDS[150_000:150_010]


def test_blank_lines_are_records_without_a_value(tmp_path: Path) -> None:
    file = written(tmp_path, "x.ndjson", b"{}\n\n \r\n{}\n")
    assert [each.rows for each in file.groups(None)] == [4]
    assert read(file, range(4), (0, 0)) == [b"{}", None, None, b"{}"]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert [each.rows for each in written(tmp_path, "x.ndjson", b"").groups(None)] == [0]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.gz", gzip.compress(TEXT)[:-1000]),
        ("x.zst", pa.Codec("zstd").compress(TEXT, asbytes=True)[:-1000]),
        ("other.gz", b"not compressed at all"),
    ],
)
def test_a_torn_file_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(SourceError, match=rf"{name}: expected a whole (gzip|zstd) file"):
        written(tmp_path, name, data).groups(None)


@pytest.mark.parametrize("name", ["x.ndjson", "x.ndjson.gz"])
def test_a_line_that_is_too_long_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 3 << 20)
    data = b"{}\n" + b"x" * (5 << 20) + b"\n{}\n"
    file = written(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data)
    with pytest.raises(SourceError, match=rf"{name}, line 2: expected at most 3,145,728 bytes"):
        file.groups(None)
    with pytest.raises(SourceError, match="line 2"):
        read(file, range(3), (0, 0))
