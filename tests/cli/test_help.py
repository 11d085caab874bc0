"""Help comes at once, of every command, without the libraries that only a run needs."""

from pathlib import Path

import click
import pytest

from tests.support.terminal import Trivium, in_own_process, python
from trivium.cli.main import program

HEAVY = ("ray", "deltalake", "duckdb", "pyarrow.dataset", "pandas", "polars")
ALL_HELP = f"""
import sys, time
from trivium.cli.main import program
for command in sys.argv[1:]:
    program([*command.split(), "--help"], standalone_mode=False)
print("HEAVY", [name for name in {HEAVY} if name in sys.modules])
print("SECONDS", time.process_time())
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name, command in group.commands.items():
        found.append(" ".join((*path, name)))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def test_the_commands_are_these() -> None:
    assert commands(program) == [
        *("new", "new project", "new executor", "samples", "samples take", "check", "parity", "plan"),
        *("run", "run serving", "run batch", "run streaming", "read"),
        *("dead-letters", "dead-letters list", "dead-letters show", "dead-letters replay"),
        *("status", "maintain", "retire", "reset-positions"),
        *("kafka", "kafka up", "kafka status", "kafka down"),
        *("submit", "submit batch", "submit streaming", "deploy", "deploy serving", "manifests", "doctor"),
    ]


def test_no_help_imports_what_only_a_run_needs(tmp_path: Path) -> None:
    done = python("-c", ALL_HELP, "", *commands(program), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    *_, heavy, seconds = done.stdout.splitlines()
    assert heavy == "HEAVY []"
    assert float(seconds.split()[1]) < 1.0


@pytest.mark.parametrize("command", ["", *commands(program)])
def test_every_command_says_what_it_does(command: str, trivium: Trivium) -> None:
    done = trivium(*command.split(), "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: trivium {command}".rstrip())


def test_a_wrong_command_is_an_argument_error(tmp_path: Path) -> None:
    done = in_own_process("rnu", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'rnu'" in done.stderr
