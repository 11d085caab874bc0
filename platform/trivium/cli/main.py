"""`trivium`: the group of all commands, and what each kind of error ends in.

Exit codes: 0 done; 1 a run that stopped, a plan of a run that would refuse to start, or a check that found differences;
2 problems in a pipeline file or an argument; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from trivium.cli import (
    check,
    dead_letters,
    kafka,
    maintain,
    new,
    parity,
    plan,
    read,
    reset_positions,
    retire,
    run,
    samples,
    status,
)
from trivium.cli.shipping import deploy, doctor, manifests, submit
from trivium.cli.terminal.problems import exit_code, report

_INTERRUPTED = 130


class Program(click.Group):
    """Turns errors into messages: a person's mistake never ends in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # The reader went away, as `head` does; nothing more can be told to it, not even at the interpreter's end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:  # noqa: BLE001 - the last place that can say it in words
            if ctx.params.get("debug"):
                traceback.print_exception(error)
            report(error, ctx.meta)
            ctx.exit(exit_code(error))


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--debug", is_flag=True, envvar="TRIVIUM_DEBUG", help="Show tracebacks, too.")
@click.version_option(package_name="trivium", message="%(prog)s %(version)s")
def program(debug: bool) -> None:
    """One executor per event type, run unchanged in batch, streaming and serving."""


_WORK = (new.new, samples.samples, check.check, parity.parity, plan.plan, run.run, read.read, dead_letters.dead_letters)
_UPKEEP = (status.status, maintain.maintain, retire.retire, reset_positions.reset_positions, kafka.kafka)
_SHIPPING = (submit.submit, deploy.deploy, manifests.manifests, doctor.doctor)

for command in (*_WORK, *_UPKEEP, *_SHIPPING):
    program.add_command(command)


def main() -> None:
    """Run the program `trivium`."""
    program(prog_name="trivium")


if __name__ == "__main__":
    main()
