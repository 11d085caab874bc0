"""The command line in this process, and in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from trivium.cli.main import program

PLATFORM = Path(__file__).resolve().parents[2] / "platform"


class Trivium:
    """`trivium(*arguments)` as a person would type it."""

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(program, arguments, prog_name="trivium")


def python(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with trivium on its path as if installed."""
    environment = {**os.environ, "PYTHONPATH": str(PLATFORM), **environ}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def in_own_process(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return python("-m", "trivium.cli.main", *arguments, folder=folder, **environ)
