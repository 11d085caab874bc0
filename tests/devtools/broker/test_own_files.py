"""Files under names that anybody can guess: links are not followed, and nothing is emptied before it is locked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trivium.devtools.broker.folder import BrokerFolder
from trivium.devtools.broker.own_files import locked, open_to_append, write_whole


def _locked(path: Path) -> None:
    with locked(path):
        pass


OPENED = {"locked": _locked, "appended": lambda path: os.close(open_to_append(path))}


@pytest.mark.parametrize("way", OPENED)
def test_a_link_is_refused_and_what_is_behind_it_stays(tmp_path: Path, way: str) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    for make in (os.symlink, os.link):
        make(target, tmp_path / "file")
        with pytest.raises(OSError, match="expected a file of ours"):
            OPENED[way](tmp_path / "file")
        (tmp_path / "file").unlink()
    os.symlink(tmp_path / "not-here", tmp_path / "file")
    with pytest.raises(OSError, match="got a symbolic link"):
        OPENED[way](tmp_path / "file")
    assert not (tmp_path / "not-here").exists()
    assert target.read_text() == "precious"


@pytest.mark.parametrize("way", OPENED)
def test_a_pipe_does_not_make_anybody_wait(tmp_path: Path, way: str) -> None:
    os.mkfifo(tmp_path / "file")
    with pytest.raises(OSError, match=r"no regular file|No such device"):
        OPENED[way](tmp_path / "file")


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(OSError, match="another user's"):
        _locked(tmp_path / "file")


def test_a_lock_keeps_what_the_file_holds_and_shuts_out_others(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    code = f"import fcntl; fcntl.flock(open({str(file)!r}), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with locked(file):
        assert file.read_text() == "content"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 1
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_writing_replaces_a_link_instead_of_what_is_behind_it(tmp_path: Path) -> None:
    target, file = tmp_path / "target", tmp_path / "file"
    target.write_text("precious")
    file.symlink_to(target)
    write_whole(file, "new")
    assert (file.is_symlink(), file.read_text(), target.read_text()) == (False, "new", "precious")
    assert sorted(os.listdir(tmp_path)) == ["file", "target"]
    with pytest.raises(OSError, match="No such file"):
        write_whole(tmp_path / "nowhere" / "file", "new")


def test_the_folder_of_a_broker_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    place = tmp_path / "kafka"
    place.mkdir()
    names = ["lock", ".gitignore", "server.properties", "broker.json", "broker.log"]
    for name in names:
        (place / name).symlink_to(target)
    monkeypatch.setattr(
        "trivium.devtools.broker.folder.java_command", lambda _main: [sys.executable, "-c", "import sys", "--"]
    )
    folder = BrokerFolder(place)
    with pytest.raises(OSError, match="symbolic link"), folder.alone():
        pass
    with pytest.raises(OSError, match="symbolic link"):
        folder.launch(1)
    assert target.read_text() == "precious"
    assert [name for name in names if (place / name).is_symlink()] == ["lock", "broker.json", "broker.log"]
