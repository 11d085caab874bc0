"""Errors in words: which exit code each has, and what a person or a program reads of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import click
import msgspec

from trivium.cli.terminal.text import printable
from trivium.core.errors import TriviumError

FORMAT: Final = "trivium.format"
_BUG: Final = "this is a bug in trivium: please report it with the traceback that --debug shows"


def exit_code(error: Exception) -> int:
    """Return 2 where a pipeline file or an argument is wrong, else 1."""
    from trivium.config.problems import ConfigError
    from trivium.operations.errors import ArgumentError

    return 2 if isinstance(_cause(error), ConfigError | ArgumentError) else 1


def report(error: Exception, meta: Mapping[str, Any]) -> None:
    """Say what is wrong: on standard error, and with --json, problems as JSON on standard output."""
    from trivium.config.problems import ConfigError

    cause = _cause(error)
    if meta.get(FORMAT) == "json":
        problems = (
            msgspec.to_builtins(cause.problems) if isinstance(cause, ConfigError) else [{"message": _words(cause)}]
        )
        click.echo(json.dumps({"problems": problems}, ensure_ascii=False, indent=2))
    else:
        click.echo(printable(_words(cause), keep="\n"), err=True)


def _words(error: BaseException) -> str:
    from trivium.config.problems import ConfigError

    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, TriviumError):
        return f"Error: {error}"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"Error: {place}{error.strerror or error}"
    return f"Error: {type(error).__name__}: {str(error).strip() or 'no message'}\n{_BUG}"


def _cause(error: BaseException) -> BaseException:
    """Return the error itself, or the one of ours that Ray wraps."""
    inner = getattr(error, "cause", None)
    return inner if isinstance(inner, TriviumError) else error
