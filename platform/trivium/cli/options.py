"""Options that several commands take, each parsed in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from trivium.cli.terminal.problems import FORMAT

if TYPE_CHECKING:
    from trivium.runtimes.batch.prepare import BatchArguments
    from trivium.runtimes.batch.source_days import MissingDays
    from trivium.runtimes.streaming.start import Beginning

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class DayParameter(click.ParamType[date]):
    """A UTC day."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """YYYY-MM-DD to a date."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day such as 2013-01-31, got {value!r}", param, ctx)


class MomentParameter(click.ParamType[datetime]):
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
    """Add `--from` and `--to`, as the parameters `start` and `end`."""
    end = click.option("--to", "end", type=DayParameter(), help="Event day to end before (not included).")
    start = click.option(
        "--from", "start", type=DayParameter(), help="First event day (UTC); default: all of the source."
    )
    return start(end(command))


class RunScope(NamedTuple):
    """The part of a table that a batch run makes anew, and what becomes of it where source days lack."""

    start: date | None
    end: date | None
    types: tuple[str, ...]
    missing_days: MissingDays


def run_scope(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--from`, `--to`, `--type` and `--allow-missing-days`, as the one parameter `scope`."""

    @wraps(command)
    def with_scope(
        *args: Any, start: date | None, end: date | None, types: tuple[str, ...], missing_days: MissingDays, **more: Any
    ) -> Any:
        return command(*args, scope=RunScope(start, end, types, missing_days), **more)

    narrowed = click.option(
        "--type",
        "types",
        multiple=True,
        metavar="TYPE",
        help="Make only this event type anew and touch no other; repeatable. Default: all that the file lists.",
    )
    allowed = click.option(
        "--allow-missing-days",
        "missing_days",
        flag_value="leave",
        default="refuse",
        help="Run though source days are missing; their event days stay as they are.",
    )
    return window(narrowed(allowed(with_scope)))


def checked(arguments: BatchArguments) -> BatchArguments:
    """Return the arguments of a run, if their window is one.

    Raises:
        ArgumentError: one side is missing, or the window is empty.
    """
    from trivium.core.errors import RunError
    from trivium.operations.errors import ArgumentError

    try:
        arguments.window()
    except RunError as error:
        raise ArgumentError(str(error)) from error
    return arguments


def beginning(from_time: datetime | None, from_offsets: tuple[str, ...]) -> Beginning | None:
    """Return where a stream without positions is to begin; None: at the oldest record.

    Raises:
        ArgumentError: both are given, or an offset is not TOPIC/PARTITION=OFFSET.
    """
    from trivium.operations.errors import ArgumentError
    from trivium.runtimes.streaming.start import FromOffsets, FromTime

    if from_time is not None and from_offsets:
        raise ArgumentError("expected --from-time or --from-offsets, got both")
    if from_time is not None:
        return FromTime(int(from_time.timestamp() * 1_000_000))
    return FromOffsets(offsets_of(from_offsets)) if from_offsets else None


def offsets_of(given: tuple[str, ...]) -> dict[str, int]:
    """Return `TOPIC/PARTITION=OFFSET` options by partition.

    Raises:
        ArgumentError: one has another form, or a partition comes twice.
    """
    from trivium.operations.errors import ArgumentError

    found: dict[str, int] = {}
    for text in given:
        form = re.fullmatch(r"([A-Za-z0-9._-]+/\d+)=(\d+)", text)
        if form is None:
            raise ArgumentError(f"expected TOPIC/PARTITION=OFFSET such as flights/0=120, got {text!r}")
        if form[1] in found:
            raise ArgumentError(f"the partition {form[1]} is given twice")
        found[form[1]] = int(form[2])
    return found


def output_format(command: CommandT) -> CommandT:
    """Add `--format text|json`, as the parameter `output_format`; errors follow it too."""
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
