"""Findings of mypy and pyright in executors: none in right ones, the line of wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from trivium.devtools.scaffold import new_executor, new_project

HERE = Path(__file__).parent
PLATFORM = Path(__file__).resolve().parents[2] / "platform"


def mypy(folder: Path, *paths: str) -> set[tuple[str, int]]:
    """File and line of every error of mypy --strict, in a project of somebody else."""
    options = [
        "--strict",
        "--python-version",
        "3.11",
        "--explicit-package-bases",
        "--no-error-summary",
        "--config-file=",
    ]
    imports = {"MYPYPATH": f"{PLATFORM}", "PATH": "/usr/bin:/bin"}
    done = _run([sys.executable, "-m", "mypy", *options, *paths], folder, imports)
    found = re.findall(r"^(\S+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    assert done.stderr == ""
    return {(Path(file).name, int(line)) for file, line, text in found if "[import-untyped]" not in text}


def pyright(folder: Path, *paths: str) -> set[tuple[str, int]]:
    """File and line of every error of pyright."""
    config = folder / "pyrightconfig.json"
    settings = {"typeCheckingMode": "standard", "pythonVersion": "3.11", "extraPaths": [str(PLATFORM)]}
    config.write_text(json.dumps({**settings, "include": list(paths)}))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    done = _run([*command, "--project", str(config)], folder, {"PATH": "/usr/bin:/bin"})
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found if each["severity"] == "error"
    }


def _run(command: Sequence[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    for name in ("accepted.py", "refused.py"):
        (tmp_path / name).write_text((HERE / name).read_text())
    return tmp_path


Checker = Callable[..., set[tuple[str, int]]]


@pytest.mark.parametrize(("checker", "marks"), [(mypy, ("# refused", "# refused by mypy")), (pyright, ("# refused",))])
def test_checkers_find_what_is_wrong_and_nothing_else(checker: Checker, marks: tuple[str, ...], cases: Path) -> None:
    lines = (cases / "refused.py").read_text().splitlines()
    marked = {("refused.py", number) for number, line in enumerate(lines, 1) if line.endswith(marks)}
    assert len(marked) >= 15
    assert checker(cases, "accepted.py", "refused.py") == marked


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_checkers_find_nothing_in_what_trivium_writes(checker: Checker, tmp_path: Path) -> None:
    new_project("shop", tmp_path)
    root = tmp_path / "shop"
    new_executor("refund", root, root / "configs" / "shop.yaml")
    assert checker(root, "executors") == set()
