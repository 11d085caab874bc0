"""`trivium status`: where a pipeline stands."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import one_line, plural

if TYPE_CHECKING:
    from trivium.operations.status import LookupStatus, PartitionStatus, RuntimeStatus, Status, TypeVersions

_PATIENCE_SECONDS: Final = 1.5
_LOOKUP_COUNTS: Final = {
    **{name: name for name in ("keys", "cached", "found", "missing", "stale", "unavailable", "calls", "retries")},
    "timeouts": "time-outs",
    "failures": "failed",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

AnswerT = TypeVar("AnswerT")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@output_format
def status(config: Path, output_format: str) -> None:
    """Show positions, lag, balance, dead letters, and why a run stopped.

    All but the lag is read from the table, so it is there while nothing runs, and at once while Kafka is away.
    """
    from trivium.config.compile import compile_file
    from trivium.core.clock import SystemClock
    from trivium.operations.status import log_ends, table_status, with_ends

    clock = SystemClock()
    pipeline = compile_file(config, runtime=None)
    ends = _beside(lambda: log_ends(pipeline, clock))
    found = table_status(pipeline)
    if output_format == "json":
        click.echo(json.dumps(with_ends(found, pipeline, ends.result()), default=msgspec.to_builtins, indent=2))
        return
    _show(found, clock.now_us())
    prompt = bool(wait([ends], _PATIENCE_SECONDS).done)
    if not prompt:
        _show_partitions(found, clock.now_us())
        click.echo("\nKafka does not answer yet; asking for the ends of the logs …", err=True)
    complete = with_ends(found, pipeline, ends.result())
    if prompt or complete.kafka is None:
        _show_partitions(complete, clock.now_us())
    if complete.kafka:
        click.echo(f"\nthe ends of the logs are not known: {complete.kafka}")


def _beside(question: Callable[[], AnswerT]) -> Future[AnswerT]:
    """Ask in a thread that does not keep the process when this one is interrupted."""
    answer: Future[AnswerT] = Future()

    def ask() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
            answer.set_exception(error)

    threading.Thread(target=ask, name="status-kafka", daemon=True).start()
    return answer


def _show(found: Status, now_us: int) -> None:
    facts(
        [
            ("pipeline", found.pipeline),
            ("table", f"{found.table}, version {found.version}"),
            ("dead letters", f"{found.dead_letters:,}"),
            *_parked(found),
            *_small_files(found),
            *((each.runtime, _runtime(each, now_us)) for each in found.runtimes),
        ]
    )
    rows = [
        (part.runtime, name, *_counts(each), *_owner(found, name))
        for part in found.runtimes
        for name, each in sorted(part.counts.items())
    ]
    if rows:
        click.echo()
        figures = ("read", "emitted", "dropped", "rejected", "parked", "rows")
        header = ("runtime", "event type", *figures, *(("owner", "description") if found.owners else ()))
        show_table(header, rows, figures=range(2, 2 + len(figures)))
    _show_lookups(found)
    _show_versions(found)


def _show_lookups(found: Status) -> None:
    if found.lookups:
        click.echo()
        columns = ("runtime", "lookup", *_LOOKUP_COUNTS.values(), "state")
        rows = [(each.runtime, each.lookup, *_lookup(each)) for each in found.lookups]
        show_table(columns, rows, figures=range(2, 2 + len(_LOOKUP_COUNTS)))


def _lookup(each: LookupStatus) -> tuple[str, ...]:
    use = each.use
    names = [state.name for state in (use.oldest, use.newest) if state is not None]
    figures = (f"{use.counts.get(name, 0):,}" for name in _LOOKUP_COUNTS)
    return (*figures, one_line(" to ".join(dict.fromkeys(names))) or "-")


def _show_versions(found: Status) -> None:
    rows = [
        (each.event_type, version, f"{days:,}", _age(each, version))
        for each in found.versions
        for version, days in each.days.items()
    ]
    if rows:
        click.echo()
        show_table(("batch's type", "executor version", "days", ""), rows, figures=[2])


def _age(each: TypeVersions, version: str) -> str:
    if each.current is None:
        return "not listed any more"
    return "today's" if version == each.current else "stale: trivium run batch CONFIG --stale"


def _parked(found: Status) -> list[tuple[str, str]]:
    """Return a line for each event type that is held back, or has inputs that were."""
    lines = []
    for each in found.parked:
        held = "" if each.since is None else f", held back since {each.since}: {one_line(each.message or '')}"
        days = f" of {each.days}" if each.days else ""
        amount = f"{each.runtime}: {plural(each.inputs, 'input')} of {each.event_type}{days}{held}"
        lines.append(
            ("parked", f"{amount}; once mended: trivium dead-letters replay CONFIG --parked {each.event_type}")
        )
    return lines


def _small_files(found: Status) -> list[tuple[str, str]]:
    """Return a line where maintenance is overdue, none where it is not."""
    small = found.small_files
    if not small.overdue:
        return []
    amount = f"{small.in_all:,} of streams, {small.of_day:,} of them of event day {small.day}"
    return [("small files", f"{amount}; overdue: trivium maintain {found.table}")]


def _owner(found: Status, event_type: str) -> tuple[str, ...]:
    """Return the last columns of an event type, which are there if any type has an owner or a description."""
    if not found.owners:
        return ()
    known = found.owners.get(event_type)
    return ("-", "") if known is None else (known.owner or "-", one_line(known.description or ""))


def _show_partitions(found: Status, now_us: int) -> None:
    if found.partitions:
        click.echo()
        columns = ("partition", "position", "end", "lag", "newest record")
        show_table(columns, [_partition(each, now_us) for each in found.partitions], figures=(1, 2, 3))
        sys.stdout.flush()


def _runtime(found: RuntimeStatus, now_us: int) -> str:
    if found.stopped:
        return f"stopped by its breaker: {found.stopped}"
    if found.last_commit_us is None:
        return "nothing committed yet"
    return f"generation {found.generation}, {found.commits:,} commits, the last {_ago(found.last_commit_us, now_us)}"


def _counts(each: object) -> tuple[str, ...]:
    names = ("read", "emitted_inputs", "dropped", "rejected", "parked", "emitted_rows")
    return tuple(f"{getattr(each, name):,}" for name in names)


def _partition(each: PartitionStatus, now_us: int) -> tuple[str, ...]:
    figures = (each.position, each.end, each.lag)
    newest = "-" if not each.newest_record_us else _ago(each.newest_record_us, now_us)
    return (each.partition, *("?" if number is None else f"{number:,}" for number in figures), newest)


def _ago(moment_us: int, now_us: int) -> str:
    at = _moment(moment_us)
    if at is None:
        return (
            f"{moment_us // 1_000_000:,} s after 1970, beyond the year 9999 (sent in another unit than milliseconds?)"
        )
    seconds = (now_us - moment_us) // 1_000_000
    shown = f"({at:%Y-%m-%d %H:%M:%S} UTC)"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if abs(seconds) >= length:
            amount = f"{abs(seconds) // length} {unit}"
            return f"{amount} ago {shown}" if seconds > 0 else f"{amount} from now {shown}"
    return f"0 s ago {shown}"


def _moment(moment_us: int) -> datetime | None:
    """Return the time, or None where Python has no date for it."""
    try:
        return _EPOCH + timedelta(microseconds=moment_us)
    except OverflowError:
        return None
