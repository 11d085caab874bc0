"""Options that several commands take, each parsed in one place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trivium.cli.problems import FORMAT

if TYPE_CHECKING:
    from trivium.runtimes.batch.prepare import BatchArguments

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Day(click.ParamType[date]):
    """A UTC day."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """YYYY-MM-DD to a date."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day such as 2013-01-31, got {value!r}", param, ctx)


class Moment(click.ParamType[datetime]):
    """A moment; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """RFC 3339 to an aware datetime."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a time such as 2013-01-31T12:00:00Z, got {value!r}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def window(command: CommandT) -> CommandT:
    """`--from` and `--to`, as the parameters `start` and `end`."""
    end = click.option("--to", "end", type=Day(), help="Event day to end before (not included).")
    start = click.option("--from", "start", type=Day(), help="First event day (UTC); default: all of the source.")
    return start(end(command))


def checked(arguments: BatchArguments) -> BatchArguments:
    """The arguments of a run, if their window is one.

    Raises:
        ArgumentError: one side is missing, or the window is empty.
    """
    from trivium.contract.errors import RunError
    from trivium.operations.errors import ArgumentError

    try:
        arguments.window()
    except RunError as error:
        raise ArgumentError(str(error)) from error
    return arguments


def output_format(command: CommandT) -> CommandT:
    """`--format text|json`, as the parameter `output_format`; errors follow it too."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        is_eager=True,
        callback=_remember,
        help="For people, or for programs.",
    )(command)


def _remember(ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    ctx.meta[FORMAT] = value
    return value
