"""A pipeline file takes time linear in its size to read, whatever is in it, and is refused where it has no end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from trivium.config.key_file import keys_of
from trivium.config.problems import ConfigError
from trivium.config.yaml.document import MAX_PROBLEMS
from trivium.config.yaml.interpolate import MAX_CHARACTERS
from trivium.config.yaml.load import MAX_BYTES, load, load_text
from trivium.core.errors import RunError

GROWTH = 2.5
FAMILIES: dict[str, bytes] = {
    "unfinished references": b"${A:-",
    "unfinished names": b"${A",
    "unset references": b"${A}",
    "set references": b"${SET}",
    "defaults": b"${A:-x}",
    "dollars": b"$",
    "escaped dollars": b"$$",
    "escaped references": b"$${A:-",
    "closing braces": b"}",
    "digits": b"9",
    "points": b".",
    "underscores": b"_",
    "blanks": b" ",
    "words": b"a ",
    "escapes": rb"\\",
    "quotes": rb"\"",
    "unicode escapes": rb"\u00e9",
}
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "a quoted value": lambda text: b'a: "' + text + b'"',
    "a plain value": lambda text: b"a: x" + text,
    "a block": lambda text: b"a: |\n  " + text,
    "a key": lambda text: b'"' + text + b'": 1',
    "a comment": lambda text: b"a: 1 #" + text,
    "a value without an end": lambda text: b'a: "' + text,
}
REPEATED: dict[str, bytes] = {
    "lists": b"[",
    "mappings": b"{",
    "items": b"- ",
    "complex keys": b"? ",
    "anchors": b"&a ",
    "aliases": b"[*a]\n",
    "tags": b"!a ",
    "documents": b"---\n",
    "line feeds": b"\n",
    "duplicate keys": b"k: 1\n",
    "references": b'- "${A}"\n',
}


@pytest.mark.parametrize(
    "unit", [b"a" * 15, b"a" * 16 + b"\n", b"\n", b"#", b" ", b"\r", b"\xe2\x80\xa8", b"\xff", b"\0"]
)
def test_a_file_of_keys_is_read_in_linear_time(unit: bytes) -> None:
    assert_linear(lambda size: unit * (8 * size // len(unit)), read_as_keys)


def read_as_keys(data: bytes) -> float:
    began = time.process_time()
    with suppress(RunError):
        keys_of(data, Path("keys"))
    return time.process_time() - began


def read(data: bytes) -> float:
    began = time.process_time()
    with suppress(ConfigError):
        load_text(data, "pipeline.yaml", {"SET": "value"})
    return time.process_time() - began


def assert_linear(text: Callable[[int], bytes], read: Callable[[bytes], float] = read) -> None:
    """Doubled twice, since what is small is measured badly; looked at again, since the machine has other work, too."""
    growth = 100.0
    for _ in range(5):
        small, large = read(text(1 << 13)), read(text(1 << 15))
        growth = min(growth, (large / small) ** 0.5) if large > 0.01 else 1.0
        if growth <= GROWTH:
            return
    raise AssertionError(f"twice the bytes take {growth:.1f} times the time")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_value_is_read_in_linear_time(family: str, shape: str) -> None:
    unit = FAMILIES[family]
    assert_linear(lambda size: SHAPES[shape](unit * (size // len(unit))))


@pytest.mark.parametrize("family", REPEATED)
def test_structure_is_read_in_linear_time(family: str) -> None:
    assert_linear(lambda size: REPEATED[family] * (size // len(REPEATED[family])))


def codes(data: bytes, environ: dict[str, str] | None = None) -> list[str]:
    with suppress(ConfigError):
        return [problem.code for problem in load_text(data, "pipeline.yaml", environ or {}).problems]
    with pytest.raises(ConfigError) as caught:
        load_text(data, "pipeline.yaml", environ or {})
    return [problem.code for problem in caught.value.problems]


def test_an_unfinished_reference_is_one_problem_that_shows_its_beginning() -> None:
    with pytest.raises(ConfigError) as caught:
        raise ConfigError(load_text(b'a: "' + b"${A:-" * 30_000 + b'"', "pipeline.yaml", {}).problems)
    [problem] = caught.value.problems
    assert problem.code == "malformed-reference"
    assert len(str(problem)) < 300


def test_problems_beyond_a_thousand_are_not_looked_for() -> None:
    found = codes(b"a:\n" + b'- "${A}"\n' * 5_000)
    assert found[:2] == ["unset-variable"] * 2
    assert (len(found), found[-1]) == (MAX_PROBLEMS + 1, "unset-variable")
    assert "too-many-problems" in found


def test_variables_cannot_blow_up_a_file() -> None:
    found = codes(b'a: "' + b"${BIG}" * 10_000 + b'"', {"BIG": "x" * (MAX_CHARACTERS // 100)})
    assert found == ["variable-text"]


def test_too_many_values_are_refused_while_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trivium.config.yaml.nodes.MAX_NODES", 100)
    assert codes(b"a: [" + b"1," * 300 + b"never closed") == ["too-large"]


def test_aliases_that_multiply_are_refused() -> None:
    levels = b"".join(b"l%d: &l%d [%s]\n" % (n, n, b",".join([b"*l%d" % (n - 1)] * 9)) for n in range(1, 9))
    assert codes(b"l0: &l0 [x]\n" + levels) == ["too-large"]


@contextmanager
def unusual(folder: Path, kind: str) -> Iterator[Path]:
    path = folder / "pipeline.yaml"
    if kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(folder)  # names of sockets are short
            listener.bind(path.name)
            yield path
        return
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a link to a device":
        path.symlink_to("/dev/zero")
    yield Path("/dev/zero") if kind == "a device" else path


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a socket", "a device", "a link to a device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    with unusual(tmp_path, kind) as path, pytest.raises(ConfigError, match="expected a regular file, got a"):
        load(path, {})


def test_the_limit_counts_what_is_read_and_not_what_the_file_system_says(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="more than 1,048,576 bytes"):
        load(file, {})
    told = Path("/proc/self/environ")
    if told.exists():  # of size 0, as the file system says
        with pytest.raises(ConfigError, match=r"mapping|UTF-8|not allowed|syntax"):
            load(told, {})
