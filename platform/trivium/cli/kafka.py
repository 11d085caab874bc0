"""`trivium kafka`: a real Apache Kafka for development, without Docker or an installed Java."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from trivium.cli.options import output_format
from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.text import plural

if TYPE_CHECKING:
    from trivium.devtools.broker.broker import DevBroker
    from trivium.devtools.broker.client import TopicEnds

_PORT: Final = 9092
_KILL_AFTER_SECONDS: Final = 20.0

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def _folder(command: CommandT) -> CommandT:
    return click.option(
        "--folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where its data, log and state lie.  [default: .trivium/kafka of the project]",
    )(command)


@click.group()
def kafka() -> None:
    """A real Kafka broker for development, on this machine only."""


@kafka.command()
@click.option("--port", type=click.IntRange(1024, 65535), help=f"[default: the one it had last, else {_PORT}]")
@_folder
def up(port: int | None, folder: Path | None) -> None:
    """Start the broker in the background, on the data it had; fine if it is up already."""
    broker = _broker(folder, port)
    if not broker.pid:
        click.echo("starting Apache Kafka; the first time it is downloaded (45 MB)", err=True)
    started = broker.start()
    click.echo("up" if started else "already up")
    facts(_places(broker))


@kafka.command()
@_folder
@output_format
def status(folder: Path | None, output_format: str) -> None:
    """Say whether the broker is up, and what its topics hold. Exit code 1 unless it answers."""
    broker = _broker(folder)
    answers = broker.answers()
    state = "up" if answers else "does not answer" if broker.pid else "down"
    topics = broker.topics() if answers else []
    if output_format == "json":
        ends = {topic.name: list(topic.ends) for topic in topics}
        places = {"servers": broker.servers, "data": str(broker.data_path), "log": str(broker.log_path)}
        click.echo(json.dumps({"state": state, "pid": broker.pid, **places, "topics": ends}, indent=2))
    else:
        click.echo(state)
        facts(_places(broker))
        if answers:
            _show(topics)
    if not answers:
        raise click.exceptions.Exit(1)


@kafka.command()
@_folder
def down(folder: Path | None) -> None:
    """End the broker; its data stay for the next `up`."""
    from trivium.devtools.broker.broker import Ending

    broker = _broker(folder)
    ending = broker.stop(_KILL_AFTER_SECONDS)
    if ending is Ending.NOT_RUNNING:
        click.echo(f"was not running: {broker.folder}")
        return
    killed = f" after {_KILL_AFTER_SECONDS:.0f} s in which it did not end" if ending is Ending.KILLED else ""
    click.echo(f"{ending.value}{killed}; its data stay in {broker.data_path}")


def _broker(folder: Path | None, port: int | None = None) -> DevBroker:
    from trivium.devtools.broker.broker import DevBroker
    from trivium.devtools.broker.folder import BrokerFolder, work_folder

    place = folder or work_folder(Path.cwd())
    return DevBroker(place, port or BrokerFolder(place).port() or _PORT)


def _places(broker: DevBroker) -> list[tuple[str, str]]:
    process = [("pid", str(broker.pid))] if broker.pid else []
    return [*process, ("servers", broker.servers), ("data", str(broker.data_path)), ("log", str(broker.log_path))]


def _show(topics: list[TopicEnds]) -> None:
    if topics:
        rows = [(topic.name, str(len(topic.ends)), " ".join(f"{end:,}" for end in topic.ends)) for topic in topics]
        show_table(("topic", "partitions", "end offsets"), rows, figures=[1])
    click.echo(plural(len(topics), "topic"))
