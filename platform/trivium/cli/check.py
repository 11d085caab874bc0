"""`trivium check`: pipeline files, executors and their samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trivium.cli.options import output_format
from trivium.cli.terminal.text import plural, printable

if TYPE_CHECKING:
    from trivium.config.pipeline import Pipeline
    from trivium.config.problems import ConfigError
    from trivium.config.worker_spec import WorkerSpec
    from trivium.operations.surroundings import Missing, Surroundings
    from trivium.samples.check import TypeCheck


@dataclass(frozen=True)
class _Checked:
    """One pipeline file: its problems, or its types' samples and what is impure or not compliant, by event type."""

    file: Path
    problems: ConfigError | None
    types: Sequence[TypeCheck] = ()
    impure: Mapping[str, Sequence[str]] = field(default_factory=dict)
    surroundings: Surroundings | None = None
    breaches: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pipeline: Pipeline | None = None

    def listed(self, event_type: str) -> str | None:
        """Return the line that lists an event type, where it is one of an included file."""
        place = self.pipeline.listed.get(event_type) if self.pipeline else None
        own = self.pipeline is not None and place is not None and place.rpartition(":")[0] == self.pipeline.config_file
        return None if own else place

    @property
    def missing(self) -> Sequence[Missing]:
        """Settings and files that a run would not find."""
        return self.surroundings.missing if self.surroundings else ()

    @property
    def notes(self) -> Sequence[str]:
        """Remarks about the archive."""
        return self.surroundings.notes if self.surroundings else ()

    @property
    def found(self) -> Mapping[str, str]:
        """The places that a run would find, and what there is."""
        return self.surroundings.found if self.surroundings else {}

    def findings(self, event_type: str) -> list[str]:
        """Return what is wrong with an executor beside its samples."""
        return [*self.impure.get(event_type, ()), *self.breaches.get(event_type, ())]

    def wrong(self) -> list[str]:
        """Return the event types with anything wrong."""
        return [each.event_type for each in self.types if each.problems or self.findings(each.event_type)]


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--update", is_flag=True, help="Write the outcomes of samples that differ; events stay.")
@click.option(
    "--connect",
    is_flag=True,
    help="Open sources, lookups and the table wherever they are; what is not there fails the check.",
)
@output_format
@click.pass_context
def check(ctx: click.Context, config: Path | None, update: bool, connect: bool, output_format: str) -> None:
    """Check pipeline files, executors and samples.

    CONFIG is a pipeline file; without it, all of the project's configs/. An executor is held to its samples, its
    sources are read for what is not pure, and its samples are run again in other ways and in fresh processes. Of an
    archive and of lookups on this machine it says whether they are there with their columns; with --connect, of all
    sources, lookups and the table what is there, and how many keys of the batch source each lookup knows. Exit code 2:
    problems in a file; 1: samples that come to another outcome, an executor that is impure or not compliant, or, with
    --connect, anything that a run would not find.
    """
    from trivium.devtools.project import find_root, pipeline_files
    from trivium.samples.check import check_samples, update_samples

    files = [config] if config else [_shown(file) for file in pipeline_files(find_root(Path.cwd()))]
    checked = _checked(files, update_samples if update else check_samples, _look_everywhere if connect else _look_here)
    if output_format == "json":
        click.echo(json.dumps({"files": [_json(each) for each in checked]}, ensure_ascii=False, indent=2))
    else:
        for each in checked:
            _show(each, connect=connect)
    failed = any(each.wrong() or (connect and each.missing) for each in checked)
    ctx.exit(2 if any(each.problems for each in checked) else 1 if failed else 0)


def _look_here(pipeline: Pipeline) -> Surroundings:
    from trivium.operations.surroundings import look_here

    return look_here(pipeline)


def _look_everywhere(pipeline: Pipeline) -> Surroundings:
    from trivium.core.clock import SystemClock
    from trivium.operations.surroundings import look_everywhere
    from trivium.samples.hits import add_hits

    clock = SystemClock()
    found = look_everywhere(pipeline, clock)
    add_hits(pipeline, found, clock)
    return found


def _checked(
    files: Sequence[Path],
    samples: Callable[[WorkerSpec], list[TypeCheck]],
    look: Callable[[Pipeline], Surroundings],
) -> list[_Checked]:
    from trivium.config.compile import compile_file
    from trivium.config.problems import ConfigError

    compiled: list[tuple[Path, Pipeline | ConfigError]] = []
    for file in files:
        try:
            compiled.append((file, compile_file(file, runtime=None)))
        except ConfigError as error:
            compiled.append((file, error))
    sampled = [[] if isinstance(each, ConfigError) else samples(each.worker_spec) for _, each in compiled]
    breaches = _breaches([each for _, each in compiled if not isinstance(each, ConfigError)])
    return [
        _Checked(file, each)
        if isinstance(each, ConfigError)
        else _Checked(file, None, types, _impure(each), look(each), breaches, each)
        for (file, each), types in zip(compiled, sampled, strict=True)
    ]


def _impure(pipeline: Pipeline) -> dict[str, list[str]]:
    from trivium.analysis.purity.check import impurities

    if pipeline.config.purity == "off":
        return {}
    bound = pipeline.executors.values()
    return {each.event_type: [str(found) for found in impurities(each.cls, pipeline.root)] for each in bound}


def _breaches(pipelines: Sequence[Pipeline]) -> dict[str, list[str]]:
    """Return what the samples show of each executor in other ways and processes; each executor is checked once."""
    from trivium.samples.check import with_default_options
    from trivium.samples.compliance.check import sample_breaches
    from trivium.samples.compliance.subject import Subject

    subjects: dict[str, Subject] = {}
    for pipeline in pipelines:
        for bound in map(with_default_options, pipeline.executors.values()):
            subject = Subject(bound.cls, bound.event_type, bound.options, bound.artifacts, pipeline.worker_spec.routing)
            subjects.setdefault(bound.event_type, subject)
    return {name: [str(each) for each in found] for name, found in sample_breaches(list(subjects.values())).items()}


def _show(checked: _Checked, *, connect: bool) -> None:
    mark = "✗" if connect else "!"
    if checked.problems:
        click.echo(printable(str(checked.problems), keep="\n"), err=True)
        click.echo(f"✗ {checked.file}: {plural(len(checked.problems.problems), 'problem')}")
        return
    click.echo(f"{checked.file}")
    for each in checked.types:
        findings = checked.findings(each.event_type)
        place = checked.listed(each.event_type)
        click.echo(f"  {_line(each, findings)}" + (f" ({place})" if place else ""))
        for text in (*map(printable, (*each.changes, *each.problems)), *(printable(each, "\n") for each in findings)):
            click.echo(indent(text, "    "))
    for place, text in checked.found.items() if connect else ():
        click.echo(f"  ✓ {place}: {printable(text)}")
    for absent in checked.missing:
        text = indent(printable(str(absent), keep="\n"), "    ").lstrip()
        click.echo(f"  {mark} {text}")
    for note in checked.notes:
        click.echo(f"  ! batch.source: {printable(note)}")
    click.echo(_verdict(checked, mark))


def _verdict(checked: _Checked, mark: str) -> str:
    wrong, missing = checked.wrong(), plural(len(checked.missing), "thing")
    if wrong:
        kind = "findings" if any(map(checked.findings, wrong)) else "differences"
        return f"✗ {plural(len(wrong), 'executor')} with {kind}"
    if not checked.missing:
        return "✓ all good"
    return f"{mark} the executors and samples are good; {missing} that a run needs would not be found"


def _line(each: TypeCheck, findings: Sequence[str]) -> str:
    name, samples = each.event_type, plural(each.samples, "sample")
    if each.problems:
        samples = f"{plural(len(each.problems), 'difference')} in {samples}"
    if each.updated:
        samples += f", {len(each.updated)} updated"
    if each.problems or findings:
        return f"✗ {name}: {samples}" + (f", {plural(len(findings), 'finding')}" if findings else "")
    if not each.samples:
        return f"! {name}: no samples; write events into {_shown(each.file)}, then trivium check --update"
    return f"✓ {name}: {samples}"


def _json(checked: _Checked) -> dict[str, Any]:
    types = [
        {
            "type": each.event_type,
            "file": str(each.file),
            "listed": checked.pipeline.listed.get(each.event_type) if checked.pipeline else None,
            "samples": each.samples,
            "differences": list(each.problems),
            "updated": list(each.updated),
            "changes": list(each.changes),
            "impure": list(checked.impure.get(each.event_type, ())),
            "breaches": list(checked.breaches.get(each.event_type, ())),
        }
        for each in checked.types
    ]
    problems = msgspec.to_builtins(checked.problems.problems) if checked.problems else []
    missing = [asdict(each) for each in checked.missing]
    return {
        "file": str(checked.file),
        "problems": problems,
        "types": types,
        "missing": missing,
        "found": dict(checked.found),
        "notes": list(checked.notes),
    }


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
