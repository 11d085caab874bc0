"""`trivium parity`: the same inputs through three runtimes, compared outcome by outcome."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trivium.cli.terminal.tables import facts, show_table
from trivium.cli.terminal.watching import watch

if TYPE_CHECKING:
    from trivium.parity.compare import Difference, ParityReport
    from trivium.parity.coverage import Coverage


class SampleSize(click.ParamType[int | None]):
    """A number of records, or `all`, which is None."""

    name = "N|all"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """See click.ParamType."""
        if value == "all":
            return None
        if not value.isdecimal():
            self.fail(f"expected a number of records or `all`, got {value!r}", param, ctx)
        return int(value)


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--sample", type=SampleSize(), default="200", show_default=True, help="Records of the archive, or `all` of them."
)
@click.option("--input", "file", type=click.Path(path_type=Path, exists=True), help="JSON lines, instead of all else.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which records of the archive.")
@click.option(
    "--require",
    "required",
    type=click.Choice(["batch", "streaming", "serving"]),
    multiple=True,
    help="Fail unless this runtime was tried, though the file has no such section.",
)
@click.option("--fast", is_flag=True, help="Only the decoders and workers, in this process.")
@click.option("--watch", "again", is_flag=True, help="With --fast: again whenever an executor or the file changes.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page about it.")
@click.pass_context
def parity(ctx: click.Context, /, config: Path, fast: bool, again: bool, html: Path | None, **given: Any) -> None:
    """Take the same inputs through batch, streaming and serving, and compare what became of each.

    The inputs are the project's samples, records of the archive, records that are wrong in common ways, and records
    made up from the declared types. Exit code 1: the runtimes disagree, or one of them could take nothing.
    """
    if again:
        _watch(config, fast, [given["file"]] if given["file"] else [])
        return
    from trivium.parity.inputs import InputSpec
    from trivium.parity.page import page
    from trivium.parity.run import FAST, REAL, check_parity

    required = given.pop("required")
    ways = FAST if fast else REAL
    report = check_parity(
        config, InputSpec(**given), ways, lambda runtime: click.echo(f"{runtime} …", err=True), required
    )
    _show(report)
    if html is not None:
        html.write_text(page(report), encoding="utf-8")
        click.echo(f"written: {html}")
    ctx.exit(0 if report.holds else 1)


def _watch(config: Path, fast: bool, others: list[Path]) -> None:
    if not fast:
        raise click.UsageError("--watch is for --fast; the three real runtimes take a minute")
    given = [each for each in sys.argv[1:] if each != "--watch"]
    watch([sys.executable, "-m", "trivium.cli.main", *given], config, others)


def _show(report: ParityReport) -> None:
    click.echo(f"\n{report.verdict}\n")
    header = ("runtime", "equal", "differs", "missing", "extra", "cannot take")
    counts = [(each.equal, each.differs, each.missing, each.extra, each.untaken) for each in report.results]
    rows = [(each.runtime, *(f"{n:,}" for n in line)) for each, line in zip(report.results, counts, strict=True)]
    show_table(header, rows, figures=(1, 2, 3, 4, 5))
    click.echo()
    tried = [
        (name or "(none)", outcome, f"{count:,}") for (name, outcome), count in sorted(report.coverage.outcomes.items())
    ]
    show_table(("event type", "outcome", "inputs"), tried, figures=(2,))
    click.echo()
    for difference in report.differences[:3]:
        _show_difference(difference, report.results[0].runtime)
    rejects = [f"{stage}: {reason} ({count})" for (stage, reason), count in sorted(report.coverage.rejects.items())]
    facts(
        [
            ("fields", _fields(report.coverage)),
            *_branches(report.coverage),
            ("rejects", ", ".join(rejects) or "none"),
            ("not tried", "\n".join(report.not_tried) or "nothing that this looks for"),
            ("logic", report.logic),
            *((f"lookup {name}", state or "names no state") for name, state in sorted(report.states.items())),
            ("again", report.again),
        ]
    )


def _fields(coverage: Coverage) -> str:
    tried, null = (sum(map(bool, each)) for each in zip(*((f.values, f.nulls) for f in coverage.fields), strict=True))
    edges = sorted({edge for each in coverage.fields for edge in each.edges})
    return f"{tried} of {len(coverage.fields)} held values, {null} were null; edges: {', '.join(edges) or 'none'}"


def _branches(coverage: Coverage) -> list[tuple[str, str]]:
    found = coverage.branches
    if found is None:
        return []
    never = found.missed[:20]
    more = [f"… and {len(found.missed) - 20} more, see --html"] if len(found.missed) > 20 else []
    return [("branches", "\n".join([f"{found.ran} of {found.total} of the executors' arms ran", *never, *more]))]


def _show_difference(difference: Difference, first: str) -> None:
    from trivium.parity.fields import field_pairs

    click.echo(f"{difference.runtime} {difference.kind}: {difference.input.origin}: {difference.input.value[:300]!r}")
    pairs = [each for each in field_pairs(difference.expected, difference.got) if each.differs]
    shown = [(each.path, each.expected or "-", each.got or "-") for each in pairs[:10]]
    show_table(("differs in", first, difference.runtime), shown)
    click.echo()
